// Time as a thing one is handed: the seat that a shell fills with the system's timers and a test fills with
// a clock it turns by hand.

/** Monotonic time and one-shot timers. */
export interface Clock {
  /** Returns monotonic milliseconds. The zero point means nothing; it never runs backwards. */
  now(): number
  /**
   * Calls `run` once, when `now() >= time` and never before `at` has returned. `Infinity` is never.
   *
   * @returns A function that cancels the call; cancelling twice, or after the call, does nothing.
   */
  at(time: number, run: () => void): () => void
}
