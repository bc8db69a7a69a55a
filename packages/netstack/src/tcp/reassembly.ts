// What arrived ahead of its turn: segments kept until the gap before them is filled. A limit bounds how many pieces a
// peer can make of a stream, and a budget what all streams of a stack keep together.
import { seqAdd, seqDiff } from './sequence.ts'

/** Pieces kept at most; more are dropped and come again. */
const MAX_PIECES = 512

interface Piece {
  readonly sequence: number
  readonly bytes: Uint8Array
}

/** Bytes that streams may keep together. */
export class ReassemblyBudget {
  #left: number

  constructor(bytes: number) {
    this.#left = bytes
  }

  /** How many there are left. */
  get left(): number {
    return this.#left
  }

  /** Takes bytes, or returns `false` when there are not so many left. */
  take(bytes: number): boolean {
    if (bytes > this.#left) return false
    this.#left -= bytes
    return true
  }

  /** Gives bytes back. */
  give(bytes: number): void {
    this.#left += bytes
  }
}

/** Puts a stream in order. */
export class Reassembly {
  readonly #budget: ReassemblyBudget
  #pieces: Piece[] = []

  constructor(budget: ReassemblyBudget) {
    this.#budget = budget
  }

  /** Whether something waits for a gap to be filled. */
  get waiting(): boolean {
    return this.#pieces.length > 0
  }

  /** Keeps a copy of bytes that come after a gap, if there is room; else they come again. */
  keep(sequence: number, bytes: Uint8Array): void {
    if (this.#pieces.length >= MAX_PIECES) return
    const at = this.#pieces.findIndex((piece) => seqDiff(piece.sequence, sequence) >= 0)
    const next = this.#pieces[at]
    if (next !== undefined && next.sequence === sequence && next.bytes.length >= bytes.length) return
    if (!this.#budget.take(bytes.length)) return
    this.#pieces.splice(at < 0 ? this.#pieces.length : at, 0, { sequence, bytes: bytes.slice() })
  }

  /** Returns what now follows on from `next`, in order, and forgets it. */
  take(next: number): Uint8Array[] {
    const ready: Uint8Array[] = []
    let expected = next
    let used = 0
    for (const { sequence, bytes } of this.#pieces) {
      const ahead = seqDiff(sequence, expected)
      if (ahead > 0) break
      used += 1
      if (-ahead >= bytes.length) continue
      const fresh = bytes.subarray(-ahead)
      ready.push(fresh)
      expected = seqAdd(expected, fresh.length)
    }
    this.#forget(used)
    return ready
  }

  /** Forgets everything. */
  clear(): void {
    this.#forget(this.#pieces.length)
  }

  #forget(count: number): void {
    for (const { bytes } of this.#pieces.splice(0, count)) this.#budget.give(bytes.length)
  }
}
