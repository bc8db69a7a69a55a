// The Clock and RandomSource seats filled with what every web runtime has.
import type { Clock, RandomSource } from '@mesh/sansio'

/** The longest delay setTimeout takes; a longer one would fire at once. */
const MAX_DELAY = 2 ** 31 - 1

/** The runtime's monotonic clock. */
export const webClock: Clock = {
  now: () => performance.now(),
  at(time, run) {
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

/** The runtime's random bytes; asked for a few at a time here. */
export const webRandom: RandomSource = (length) => crypto.getRandomValues(new Uint8Array(length))
