// How much may be under way: Reno with the recovery of RFC 6582 (NewReno). Slow start, congestion avoidance, three
// duplicate acknowledgments for a loss.
import { seqDiff } from './sequence.ts'

/** RFC 6928: what may be sent before anything was heard, in segments. */
const INITIAL_SEGMENTS = 10
/** RFC 5681: so many acknowledgments of the same byte say that the next one was lost. */
export const DUPLICATE_THRESHOLD = 3

/** A congestion window, in bytes. */
export class Congestion {
  readonly #mss: number
  #window: number
  #threshold = Infinity
  #duplicates = 0
  /** Where a loss was noticed: recovery ends when this is acknowledged. */
  #recover: number | undefined

  constructor(mss: number) {
    this.#mss = mss
    this.#window = INITIAL_SEGMENTS * mss
  }

  /** How many bytes may be under way. */
  get window(): number {
    return this.#window
  }

  /** Takes a duplicate acknowledgment; true when the first unacknowledged segment is to be sent again. */
  handleDuplicate(inFlight: number, highest: number): boolean {
    this.#duplicates += 1
    if (this.#recover !== undefined) {
      this.#window += this.#mss
      return false
    }
    if (this.#duplicates < DUPLICATE_THRESHOLD) return false
    this.#threshold = Math.max(inFlight / 2, 2 * this.#mss)
    this.#window = this.#threshold + DUPLICATE_THRESHOLD * this.#mss
    this.#recover = highest
    return true
  }

  /** Takes an acknowledgment of `acked` new bytes up to `una`; true when the next hole is to be filled at once. */
  handleProgress(acked: number, una: number): boolean {
    this.#duplicates = 0
    if (this.#recover === undefined) {
      this.#grow(acked)
      return false
    }
    if (seqDiff(una, this.#recover) >= 0) {
      this.#recover = undefined
      this.#window = Math.min(this.#threshold, this.#window)
      return false
    }
    this.#window = Math.max(this.#mss, this.#window - acked + this.#mss)
    return true
  }

  /** Nothing came back in time: start over with one segment. */
  handleTimeout(inFlight: number): void {
    this.#threshold = Math.max(inFlight / 2, 2 * this.#mss)
    this.#window = this.#mss
    this.#duplicates = 0
    this.#recover = undefined
  }

  #grow(acked: number): void {
    const slowStart = this.#window < this.#threshold
    this.#window += slowStart ? Math.min(acked, 2 * this.#mss) : (this.#mss * this.#mss) / this.#window
  }
}
