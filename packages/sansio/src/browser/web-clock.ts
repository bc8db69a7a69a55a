// The Clock seat filled with the monotonic clock and timers that every JavaScript runtime has.
import type { Clock } from '../clock.ts'

/** The longest delay setTimeout takes; a longer one would fire at once. */
const MAX_DELAY = 2 ** 31 - 1

/**
 * The runtime's monotonic clock. Where timers keep a process alive, these do until they run or are cancelled.
 *
 * Runs on `setTimeout`, whose own idea of time is whole milliseconds: a timer that comes early is set again, so
 * the promise of {@link Clock.at} holds.
 */
export const webClock: Clock = {
  now: () => performance.now(),
  at(time, run) {
    if (Number.isNaN(time)) throw new RangeError('time must be a number of milliseconds')
    if (time === Infinity) return () => undefined
    let timer: ReturnType<typeof setTimeout>
    const wait = (): void => {
      const delay = Math.min(Math.max(Math.ceil(time - performance.now()), 0), MAX_DELAY)
      timer = setTimeout(() => (performance.now() < time ? wait() : run()), delay)
    }
    wait()
    return () => clearTimeout(timer)
  },
}
