// How long to wait before trying again: short at first, doubling, never above half a minute, and never the same
// for two nodes, so that a server that comes back is not met by all of them at once.
import type { RandomSource } from '@mesh/sansio'

/** The longest wait: 30 s (control protocol §5.4). */
export const MAX_RETRY_DELAY = 30_000

/** The first wait, before the random factor. */
export const FIRST_RETRY_DELAY = 400

/** Counts failures in a row and says how long to wait after each. */
export class Backoff {
  readonly #random: RandomSource
  #failures = 0

  constructor(random: RandomSource) {
    this.#random = random
  }

  /** Notes a failure; returns how many milliseconds to wait: from half to the whole of the doubled delay. */
  next(): number {
    const delay = Math.min(MAX_RETRY_DELAY, FIRST_RETRY_DELAY * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 16)
    const [byte = 0] = this.#random(1)
    return Math.round(delay * (0.5 + byte / 510))
  }

  /** Notes a success: the next failure is again the first. */
  reset(): void {
    this.#failures = 0
  }
}
