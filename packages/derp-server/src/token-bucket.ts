// So many at once, then so many a second.

/** A token bucket that starts full. */
export class TokenBucket {
  readonly #burst: number
  readonly #interval: number
  #tokens: number
  #filledAt: number

  /** Holds at most `burst` tokens and gains one every `interval` milliseconds. */
  constructor(burst: number, interval: number, now: number) {
    this.#burst = burst
    this.#interval = interval
    this.#tokens = burst
    this.#filledAt = now
  }

  /** Takes one token; returns whether there was one. */
  take(now: number): boolean {
    const gained = (now - this.#filledAt) / this.#interval
    this.#tokens = Math.min(this.#burst, this.#tokens + gained)
    this.#filledAt = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
