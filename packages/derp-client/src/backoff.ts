// How long to wait before dialling again: longer with each failure, and never in step with the others that the
// same relay dropped (data-plane §2.13).
import type { RandomSource } from '@mesh/sansio'
import { MAX_BACKOFF } from './constants.ts'

/** Each failure moves the step by this much; the wait is the step's square, in tens of milliseconds. */
const STEP = 2

/** The waits between attempts: about 40, 160, 360 … ms up to 5 s, each times 0.5 to 1.5. */
export class Backoff {
  readonly #random: RandomSource
  #step = 0

  constructor(random: RandomSource) {
    this.#random = random
  }

  /** Notes one more failure and returns how many milliseconds to wait. */
  next(): number {
    this.#step += STEP
    const wait = Math.min(this.#step ** 2 * 10, MAX_BACKOFF)
    return wait * (0.5 + this.#random(1)[0]! / 255)
  }

  /** Starts over: the connection was a good one. */
  reset(): void {
    this.#step = 0
  }
}
