// The clock of a machine that can be put to sleep: while it sleeps its time stands still, as Linux's monotonic clock
// does, and what was due meanwhile is due as much later.
import type { Clock } from '@mesh/sansio'

/** Ticks in a millisecond. */
const TICKS = 1_024
const ROUNDING = 2 ** -20

/** A clock over another that can be stopped. */
export class SleepyClock implements Clock {
  readonly #base: Clock
  #slept = 0
  #asleepSince: number | undefined
  readonly #waiting = new Set<() => void>()

  constructor(base: Clock) {
    this.#base = base
  }

  /** Whether it stands still. */
  get isAsleep(): boolean {
    return this.#asleepSince !== undefined
  }

  /** Returns monotonic milliseconds. */
  now(): number {
    // Counted in ticks, upwards: a sum and its difference are seldom the same number, and a timer must not find that
    // its time has not quite come.
    return Math.ceil(((this.#asleepSince ?? this.#base.now()) - this.#slept) * TICKS - ROUNDING) / TICKS
  }

  /** See {@link Clock.at}. */
  at(time: number, run: () => void): () => void {
    let cancel = (): void => undefined
    const arm = (): void => {
      this.#waiting.delete(arm)
      cancel = this.#base.at(time + this.#slept, fire)
    }
    const fire = (): void => {
      if (this.isAsleep) this.#waiting.add(arm)
      else if (this.now() < time) arm()
      else run()
    }
    arm()
    return () => {
      this.#waiting.delete(arm)
      cancel()
    }
  }

  /** Stands still from now on. */
  sleep(): void {
    this.#asleepSince ??= this.#base.now()
  }

  /** Goes on. */
  wake(): void {
    if (this.#asleepSince === undefined) return
    this.#slept += this.#base.now() - this.#asleepSince
    this.#asleepSince = undefined
    for (const arm of this.#waiting) arm()
  }
}
