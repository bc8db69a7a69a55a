// The clock of tests and simulations: time stands still until somebody turns it, and then every timer on the
// way runs at exactly its own instant, in order.
import type { Clock } from './clock.ts'

/** How many timers may run at one instant before the clock decides that two of them are chasing each other. */
const MAX_TIMERS_AT_ONCE = 100_000

interface Timer {
  readonly time: number
  readonly order: number
  /** Cleared by cancelling and by running; an empty timer is skipped when the heap brings it up. */
  run: (() => void) | undefined
}

/**
 * A {@link Clock} that moves only when told to.
 *
 * Timers due at the same instant run in the order they were set. A timer set in the past, or for this very
 * instant, runs at the next turn of the clock, without moving it.
 */
export class ManualClock implements Clock {
  #now: number
  #order = 0
  /** A binary heap: the earliest timer first, ties broken by the order of setting. */
  readonly #heap: Timer[] = []

  /** @param start - The first value of {@link ManualClock.now}, in milliseconds. */
  constructor(start = 0) {
    this.#now = start
  }

  /** Returns the virtual time in milliseconds. */
  now(): number {
    return this.#now
  }

  /** Calls `run` when the clock is turned to or past `time`; returns the cancel function. */
  at(time: number, run: () => void): () => void {
    if (Number.isNaN(time)) throw new RangeError('time must be a number of milliseconds')
    if (time === Infinity) return () => undefined
    const timer: Timer = { time: Math.max(time, this.#now), order: this.#order, run }
    this.#order += 1
    this.#push(timer)
    return () => {
      timer.run = undefined
    }
  }

  /** Returns the time of the earliest timer still set; `Infinity` when there is none. */
  nextTimer(): number {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (top.run !== undefined) return top.time
      this.#pop()
    }
    return Infinity
  }

  /**
   * Turns the clock to `time` and runs every timer on the way, also those that timers set.
   *
   * @throws RangeError when `time` is in the past, and Error when timers keep setting timers at one instant.
   */
  advanceTo(time: number): void {
    if (!(time >= this.#now)) throw new RangeError(`time ${time} is before now, ${this.#now}`)
    let atThisInstant = 0
    for (let next = this.nextTimer(); next <= time; next = this.nextTimer()) {
      atThisInstant = next === this.#now ? atThisInstant + 1 : 0
      if (atThisInstant > MAX_TIMERS_AT_ONCE) throw new Error(`timers at ${next} ms never come to rest`)
      this.#now = next
      this.#pop()?.run?.()
    }
    this.#now = time
  }

  /** Turns the clock forward by `duration` milliseconds; see {@link ManualClock.advanceTo}. */
  advanceBy(duration: number): void {
    this.advanceTo(this.#now + duration)
  }

  #push(timer: Timer): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(timer)
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = heap[up]!
      if (!before(timer, parent)) break
      heap[at] = parent
      at = up
    }
    heap[at] = timer
  }

  #pop(): Timer | undefined {
    const heap = this.#heap
    const top = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return top
    let at = 0
    for (let down = 1; down < heap.length; down = 2 * at + 1) {
      const right = heap[down + 1]
      if (right !== undefined && before(right, heap[down]!)) down += 1
      const child = heap[down]!
      if (!before(child, last)) break
      heap[at] = child
      at = down
    }
    heap[at] = last
    return top
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.time < b.time || (a.time === b.time && a.order < b.order)
}
