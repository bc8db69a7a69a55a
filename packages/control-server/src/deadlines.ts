// When what is due: one moment a key. Asking for the next moment is cheap and may be early, never late: the owner wakes,
// finds nothing due, and the exact moment is worked out again.

/** Moments by key, on the monotonic clock. */
export class Deadlines<K> {
  readonly #at = new Map<K, number>()
  #next = Infinity

  /** Sets or moves the moment of a key. */
  set(key: K, at: number): void {
    this.#at.set(key, at)
    if (at < this.#next) this.#next = at
  }

  /** Forgets a key. */
  delete(key: K): void {
    this.#at.delete(key)
    if (this.#at.size === 0) this.#next = Infinity
  }

  /** Tells whether a key has a moment. */
  has(key: K): boolean {
    return this.#at.has(key)
  }

  /** Returns a moment not after the earliest one; `Infinity` when there is none. */
  next(): number {
    return this.#next
  }

  /** Takes out and returns the keys whose moment has come. */
  due(now: number): K[] {
    if (now < this.#next) return []
    const due: K[] = []
    this.#next = Infinity
    for (const [key, at] of this.#at) {
      if (at <= now) due.push(key)
      else if (at < this.#next) this.#next = at
    }
    for (const key of due) this.#at.delete(key)
    return due
  }
}
