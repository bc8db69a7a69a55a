// Notices when the wall clock is set: by a person, by NTP some time after the start, or because the machine slept. What was
// decided by the old clock is then looked at again; and nothing is thrown away for its age by a clock that may be wrong.

/** How often it looks, milliseconds. */
const INTERVAL = 60_000
/** A clock that is only being disciplined moves less than this between two looks, milliseconds. */
const TOLERANCE = 1000
/** For how long it must have gone on evenly to be believed, milliseconds: by then NTP has had its say. */
const SETTLED_AFTER = 10 * 60_000

/** Compares the wall clock with the monotonic one. */
export class WallWatch {
  #ahead: number
  #since: number
  #next: number

  /** Both clocks in milliseconds, the wall's since 1970. */
  constructor(wall: number, now: number) {
    this.#ahead = wall - now
    this.#since = now
    this.#next = now + INTERVAL
  }

  /** Looks. Returns whether the clock was set since the last look. */
  look(wall: number, now: number): boolean {
    this.#next = now + INTERVAL
    const before = this.#ahead
    this.#ahead = wall - now
    const isSet = Math.abs(this.#ahead - before) > TOLERANCE
    if (isSet) this.#since = now
    return isSet
  }

  /** Tells whether the clock, as it was looked at last, has gone on evenly for a while. */
  isSettled(now: number): boolean {
    return now - this.#since >= SETTLED_AFTER
  }

  /** Returns when to look again. */
  next(): number {
    return this.#next
  }
}
