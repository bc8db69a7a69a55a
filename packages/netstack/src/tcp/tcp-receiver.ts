// The receiving half of a connection: puts the stream in order, and says how much more may come. The window is what
// the program has not taken yet, away from the capacity: a program that reads slowly slows its peer, not our memory.
import { Reassembly, type ReassemblyBudget } from './reassembly.ts'
import { seqAdd, seqDiff } from './sequence.ts'

/** What a segment brought. */
export interface Received {
  /** Bytes now in order; views of the segment or of copies. */
  readonly delivered: readonly Uint8Array[]
  /** Whether the stream ended with them. */
  readonly ended: boolean
  /** Whether the peer should hear at once how far we are: a gap was found, or filled, or the stream ended. */
  readonly acknowledgeNow: boolean
}

const EMPTY = new Uint8Array(0)

/** Receives a stream. */
export class TcpReceiver {
  readonly #capacity: number
  readonly #reassembly: Reassembly
  #next: number
  #unread = 0
  #fin: number | undefined
  #ended = false

  constructor(first: number, capacity: number, budget: ReassemblyBudget) {
    this.#next = first
    this.#capacity = capacity
    this.#reassembly = new Reassembly(budget)
  }

  /** The next byte expected. */
  get next(): number {
    return this.#next
  }

  /** How many bytes may come beyond it. */
  get window(): number {
    return Math.max(0, this.#capacity - this.#unread)
  }

  /** Tells whether a segment of this length touches the window (RFC 9293 section 3.10.7.4). */
  accepts(sequence: number, length: number): boolean {
    const start = seqDiff(sequence, this.#next)
    if (this.window === 0) return length === 0 && start === 0
    if (start >= 0) return start < this.window
    return length > 0 && start + length > 0
  }

  /** Takes what a segment carries. */
  take(sequence: number, payload: Uint8Array, fin: boolean): Received {
    const before = this.#reassembly.waiting
    if (fin && !this.#ended) this.#fin ??= seqAdd(sequence, payload.length)
    const behind = Math.min(payload.length, Math.max(0, -seqDiff(sequence, this.#next)))
    const start = seqAdd(sequence, behind)
    const space = Math.max(0, this.window - Math.max(0, seqDiff(start, this.#next)))
    const bytes = this.#ended ? EMPTY : payload.subarray(behind, behind + space)
    const delivered: Uint8Array[] = []
    if (seqDiff(start, this.#next) > 0) {
      if (bytes.length > 0) this.#reassembly.keep(start, bytes)
    } else if (bytes.length > 0) {
      this.#deliver(bytes, delivered)
      for (const piece of this.#reassembly.take(this.#next)) this.#deliver(piece, delivered)
    }
    const ended = this.#endIfReached()
    const gap = before || this.#reassembly.waiting || (payload.length > 0 && delivered.length === 0)
    return { delivered, ended, acknowledgeNow: gap || fin || ended }
  }

  /** The program has taken so many bytes: there is room for as many more. */
  consume(length: number): void {
    this.#unread = Math.max(0, this.#unread - length)
  }

  /** Forgets what waits for a gap to be filled: nothing more will come. */
  close(): void {
    this.#reassembly.clear()
  }

  #deliver(bytes: Uint8Array, into: Uint8Array[]): void {
    into.push(bytes)
    this.#next = seqAdd(this.#next, bytes.length)
    this.#unread += bytes.length
  }

  #endIfReached(): boolean {
    if (this.#ended || this.#fin === undefined || this.#fin !== this.#next) return false
    this.#ended = true
    this.#next = seqAdd(this.#next, 1)
    return true
  }
}
