// Has the machine slept? Its timers did not run meanwhile, and on most systems its monotonic clock did not either, while
// NATs, gateways and peers counted on. Whoever looks every few seconds sees it by the time since the system started, which
// goes on in sleep, or by having been called far too late: a process that was stopped has slept too.

/** Shorter sleep changes nothing that would not be noticed in time anyhow. */
export const MIN_SLEEP = 10_000

/** Compares clocks. */
export class SleepWatch {
  readonly #interval: number
  #now: number
  #uptime: number

  /**
   * @param interval - How often {@link SleepWatch.look} is going to be called, in milliseconds.
   * @param now - Monotonic milliseconds.
   * @param uptime - Milliseconds since the system started, sleep included.
   */
  constructor(interval: number, now: number, uptime: number) {
    this.#interval = interval
    this.#now = now
    this.#uptime = uptime
  }

  /** Returns for how many milliseconds the machine has slept since the last look; 0 when it has not. */
  look(now: number, uptime: number): number {
    const elapsed = now - this.#now
    const asleep = Math.max(uptime - this.#uptime - elapsed, elapsed - this.#interval)
    this.#now = now
    this.#uptime = uptime
    return asleep >= MIN_SLEEP ? asleep : 0
  }
}
