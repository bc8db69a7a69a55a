// How often a peer's calls are obeyed (threat 32): each sets off a ping to every address it names.

/** How many call-me-maybes of one peer are obeyed at once, and how fast that is won back. */
const CALL_BURST = 10
const CALL_REFILL_INTERVAL = 2_500

/** Counts the calls of one peer. */
export class CallLimit {
  #left = CALL_BURST
  #countedAt = 0

  /** Returns whether a call may be obeyed now, and counts it. */
  take(now: number): boolean {
    this.#left = Math.min(CALL_BURST, this.#left + (now - this.#countedAt) / CALL_REFILL_INTERVAL)
    this.#countedAt = now
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}
