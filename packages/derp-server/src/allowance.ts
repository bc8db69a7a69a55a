// How much one client may send. Who sends more is not cut off and loses nothing: the relay stops reading from it until
// the debt is paid, and TCP slows it down (data-plane §2.7).
import { MIN_RECEIVE_BURST } from './constants.ts'

/** A limit on what one client may send. */
export interface ReceiveLimit {
  /** Bytes of frames a second. */
  readonly bytesPerSecond: number
  /** How much of that may come at once; at least {@link MIN_RECEIVE_BURST} is allowed whatever is said here. */
  readonly burst?: number
}

/** The account of one client under a {@link ReceiveLimit}. */
export class Allowance {
  readonly #perMillisecond: number
  readonly #burst: number
  #bytes: number
  #filledAt: number

  /** Starts full. */
  constructor(limit: ReceiveLimit, now: number) {
    this.#perMillisecond = limit.bytesPerSecond / 1_000
    this.#burst = Math.max(limit.burst ?? 0, MIN_RECEIVE_BURST)
    this.#bytes = this.#burst
    this.#filledAt = now
  }

  /** Takes what came; returns for how many milliseconds nothing more should be read, 0 for not at all. */
  spend(length: number, now: number): number {
    const gained = (now - this.#filledAt) * this.#perMillisecond
    this.#filledAt = now
    this.#bytes = Math.min(this.#burst, this.#bytes + gained) - length
    return this.#bytes >= 0 ? 0 : Math.ceil(-this.#bytes / this.#perMillisecond)
  }
}
