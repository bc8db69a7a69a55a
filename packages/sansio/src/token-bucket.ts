// How a machine bounds what strangers have it do: so many at once, then so many a second.

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

  /** Takes `count` tokens, or none when there are not as many; returns whether it did. */
  take(now: number, count = 1): boolean {
    const gained = (now - this.#filledAt) / this.#interval
    this.#tokens = Math.min(this.#burst, this.#tokens + gained)
    this.#filledAt = now
    if (this.#tokens < count) return false
    this.#tokens -= count
    return true
  }
}
