// So many at once, the others in line.

/** Runs work when its turn comes. */
export class Turns {
  #free: number
  readonly #line: (() => void)[] = []

  /** @param together - How many may work at once. */
  constructor(together: number) {
    this.#free = together
  }

  /** Runs `work` in its turn. Settles as it does. */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1
    else await new Promise<void>((resolve) => this.#line.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#line.shift()
      if (next) next()
      else this.#free += 1
    }
  }
}
