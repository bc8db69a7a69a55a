// Handshake messages that wait to be worked on. Each costs agreements, so only so many are taken in a slice of time;
// the rest wait, and how many wait is the measure of load (data-plane.md 1.4).
import { HANDSHAKE_QUEUE } from './constants.ts'

/** Messages taken in one slice, and the length of a slice: at most 1600 a second. */
const PER_SLICE = 16
const SLICE = 10

/** A message that waits. */
export interface WaitingHandshake {
  /** A copy of the datagram. */
  readonly message: Uint8Array
  /** Where it came from; -1 once it had to wait, for a source means nothing after the call that brought it. */
  source: number
}

/** First come, first served, at a bounded rate. */
export class HandshakeQueue {
  readonly #waiting: WaitingHandshake[] = []
  #sliceEnd = -Infinity
  #left = 0

  /** How many wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** When the next may be taken; `Infinity` when none waits. */
  get nextAt(): number {
    if (this.#waiting.length === 0) return Infinity
    return this.#left > 0 ? -Infinity : this.#sliceEnd
  }

  /** Copies a message in. `false` when the queue is full. */
  push(message: Uint8Array, source: number): boolean {
    if (this.#waiting.length >= HANDSHAKE_QUEUE) return false
    this.#waiting.push({ message: Uint8Array.from(message), source })
    return true
  }

  /** Forgets where the message that came last is from, if it still waits. */
  forgetSource(): void {
    const last = this.#waiting.at(-1)
    if (last !== undefined) last.source = -1
  }

  /** Takes the next one, or `undefined` when none waits or this slice is used up. */
  take(now: number): WaitingHandshake | undefined {
    if (now >= this.#sliceEnd) {
      this.#sliceEnd = now + SLICE
      this.#left = PER_SLICE
    }
    if (this.#left === 0) return undefined
    const next = this.#waiting.shift()
    if (next !== undefined) this.#left -= 1
    return next
  }
}
