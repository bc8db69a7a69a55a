// The rate that a server may ask its clients to keep to (data-plane §2.6). What exceeds it is dropped, not
// delayed: the packets are datagrams, and their senders know how to slow down.

/** A bucket of bytes, filled at a fixed rate. */
export class RateLimit {
  readonly #perSecond: number
  readonly #burst: number
  #bytes: number
  #filledAt: number

  /** Starts full: `burst` bytes at once, then `perSecond` bytes a second. */
  constructor(perSecond: number, burst: number, now: number) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#bytes = burst
    this.#filledAt = now
  }

  /** Takes `length` bytes; returns whether there were as many. */
  take(length: number, now: number): boolean {
    const gained = ((now - this.#filledAt) / 1_000) * this.#perSecond
    this.#bytes = Math.min(this.#burst, this.#bytes + gained)
    this.#filledAt = now
    if (this.#bytes < length) return false
    this.#bytes -= length
    return true
  }
}
