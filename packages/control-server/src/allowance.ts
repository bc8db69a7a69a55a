// How often somebody may have something done that others pay for: a line in a log that people read, a record on a disk.

const WINDOW = 60_000
/** The most keys that are counted apart. With more of them everybody begins anew. */
const MAX_KEYS = 16_384

/** Counts by key, a minute at a time. */
export class Allowance<K> {
  readonly #most: number
  readonly #counts = new Map<K, number>()
  #since = -Infinity

  /** @param most - How often a minute. */
  constructor(most: number) {
    this.#most = most
  }

  /** Returns in how many milliseconds everybody begins anew. */
  renewsIn(now: number): number {
    return Math.max(0, this.#since + WINDOW - now)
  }

  /** Counts once; returns false for what is beyond the allowance of the key. */
  allow(key: K, now: number): boolean {
    if (now - this.#since >= WINDOW || this.#counts.size >= MAX_KEYS) {
      this.#since = now
      this.#counts.clear()
    }
    const count = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, count)
    return count <= this.#most
  }
}
