// Snapshots are large, and when a server starts everybody wants one. They are made one after the other, only so many
// bytes of them are on their way at once, and everything else has its turn in between.

/** The most bytes of snapshots on their way. */
const MAX_UNDER_WAY = 64 << 20

/** How many of one machine may be on their way: what it does not take, others must not wait for. */
export const MAX_UNTAKEN = 4

/** How long to wait when none may be made at the moment, milliseconds. */
const RETRY_AFTER = 2

/** How snapshots are made. */
export interface SnapshotsOptions {
  /** Tells whether one may be made now. */
  readonly mayMake: () => boolean
  /** Makes and sends one. Returns its bytes, and says when they are written. */
  readonly make: (exchange: number, onWritten: () => void) => number
}

/** Makes snapshots when there is room. */
export class Snapshots {
  readonly #options: SnapshotsOptions
  /** Exchanges, with the machines that ask. */
  readonly #waiting = new Map<number, string>()
  /** How many are on their way to each machine. */
  readonly #untaken = new Map<string, number>()
  #underWay = 0
  #cancelNext: (() => void) | undefined

  constructor(options: SnapshotsOptions) {
    this.#options = options
  }

  /** Lines an exchange of a machine up. */
  add(exchange: number, machine: string): void {
    this.#waiting.set(exchange, machine)
    this.#wake()
  }

  /** Forgets an exchange. */
  delete(exchange: number): void {
    this.#waiting.delete(exchange)
  }

  /** Makes no more. */
  close(): void {
    this.#waiting.clear()
    this.#cancelNext?.()
  }

  #wake(): void {
    if (this.#cancelNext || this.#underWay >= MAX_UNDER_WAY || !this.#first()) return
    const next = (): void => {
      this.#cancelNext = undefined
      if (this.#options.mayMake()) this.#makeOne()
      this.#wake()
    }
    if (this.#options.mayMake()) {
      const immediate = setImmediate(next)
      this.#cancelNext = () => clearImmediate(immediate)
    } else {
      const timer = setTimeout(next, RETRY_AFTER)
      this.#cancelNext = () => clearTimeout(timer)
    }
  }

  /** Returns who has waited longest of those who may have theirs. */
  #first(): readonly [exchange: number, machine: string] | undefined {
    for (const each of this.#waiting) if (this.#untakenBy(each[1]) < MAX_UNTAKEN) return each
    return undefined
  }

  #untakenBy(machine: string): number {
    return this.#untaken.get(machine) ?? 0
  }

  #makeOne(): void {
    const first = this.#first()
    if (!first) return
    const [exchange, machine] = first
    this.#waiting.delete(exchange)
    this.#untaken.set(machine, this.#untakenBy(machine) + 1)
    let bytes = 0
    let isWritten = false
    const onWritten = (): void => {
      if (isWritten) return
      isWritten = true
      this.#underWay -= bytes
      const left = this.#untakenBy(machine) - 1
      if (left > 0) this.#untaken.set(machine, left)
      else this.#untaken.delete(machine)
      this.#wake()
    }
    const length = this.#options.make(exchange, onWritten)
    if (isWritten) return
    bytes = length
    this.#underWay += bytes
  }
}
