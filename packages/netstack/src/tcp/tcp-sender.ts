// The sending half of a connection: what waits, what is under way, and when to say it again (RFC 9293 section 3.8,
// RFC 5681, RFC 6298). The SYN is not its business; its first byte comes after that.
import { Congestion } from './congestion.ts'
import { RoundTrip } from './round-trip.ts'
import { SendBuffer } from './send-buffer.ts'
import { seqAdd, seqDiff } from './sequence.ts'

/** Sends one segment; `fin` and `push` are its flags. */
export type EmitSegment = (
  sequence: number,
  payload: Uint8Array,
  flags: { fin: boolean; push: boolean },
) => void

/** What an acknowledgment says. */
export interface Acknowledgment {
  /** The sequence number of its segment. */
  readonly sequence: number
  /** The next byte the peer expects. */
  readonly acknowledgment: number
  /** The peer's window in bytes, scaled already. */
  readonly window: number
  /** Whether its segment carries nothing else. */
  readonly pure: boolean
}

/** So many timeouts in a row, and the peer is gone. */
const MAX_RETRIES = 10

/** Sends a stream. */
export class TcpSender {
  /** When {@link TcpSender.handleTimeout} is due. */
  timeoutAt = Infinity
  readonly #buffer: SendBuffer
  readonly #emit: EmitSegment
  readonly #roundTrip = new RoundTrip()
  #congestion = new Congestion(1)
  #mss = 1
  /** The first byte not acknowledged; the buffer begins with it. */
  #una: number
  /** The next byte to send; goes back after a loss. */
  #next: number
  /** What comes after the last byte ever sent. */
  #highest: number
  #window = 0
  #widest = 0
  #windowFrom: { readonly sequence: number; readonly acknowledgment: number }
  #timed: { readonly end: number; readonly at: number } | undefined
  #retries = 0
  #finQueued = false
  #finAcked = false

  constructor(first: number, capacity: number, emit: EmitSegment) {
    this.#una = this.#next = this.#highest = first
    this.#buffer = new SendBuffer(capacity)
    this.#emit = emit
    this.#windowFrom = { sequence: 0, acknowledgment: first }
  }

  /** The sequence number that a segment without data carries. */
  get next(): number {
    return this.#next
  }

  /** How many bytes there is room for. */
  get room(): number {
    return this.#finQueued ? 0 : this.#buffer.room
  }

  /** Whether the stream is to end after what waits. */
  get finQueued(): boolean {
    return this.#finQueued
  }

  /** Whether the end of the stream was sent and acknowledged. */
  get finAcked(): boolean {
    return this.#finAcked
  }

  /**
   * May send from now on: segments of `mss` bytes into the window that came with segment `sequence`. `handshake` is how
   * long a round trip took, if that is known.
   */
  begin(mss: number, window: number, sequence: number, handshake: number | undefined): void {
    this.#mss = mss
    this.#congestion = new Congestion(mss)
    this.#window = this.#widest = window
    this.#windowFrom = { sequence, acknowledgment: this.#una }
    if (handshake !== undefined) this.#roundTrip.measure(handshake)
  }

  /** Takes bytes to send, as many as fit, and returns how many. */
  queue(bytes: Uint8Array): number {
    return this.#finQueued ? 0 : this.#buffer.push(bytes)
  }

  /** Marks the end of the stream. */
  queueFin(): void {
    this.#finQueued = true
  }

  /** Tells whether an acknowledgment is of something sent: `old` ones are too old to be anybody's but a forger's. */
  judge(acknowledgment: number): 'good' | 'future' | 'old' {
    if (seqDiff(acknowledgment, this.#highest) > 0) return 'future'
    return seqDiff(acknowledgment, this.#una) < -this.#widest ? 'old' : 'good'
  }

  /** Takes an acknowledgment that was judged good. */
  handleAcknowledgment(ack: Acknowledgment, now: number): void {
    const acked = seqDiff(ack.acknowledgment, this.#una)
    const outstanding = seqDiff(this.#highest, this.#una)
    const duplicate = acked === 0 && ack.pure && outstanding > 0 && ack.window === this.#window
    if (acked > 0) this.#progress(acked, now)
    this.#updateWindow(ack, now)
    if (duplicate && this.#congestion.handleDuplicate(outstanding, this.#highest)) this.#resendFirst(now)
  }

  /** Sends what the windows allow. */
  transmit(now: number): void {
    while (this.#transmitOne(now));
    if (this.timeoutAt === Infinity && this.#hasWork()) this.#arm(now)
  }

  /** Says again what was not acknowledged, or asks whether a shut window has opened. False: the peer is gone. */
  handleTimeout(now: number): boolean {
    if (now < this.timeoutAt) return true
    this.timeoutAt = Infinity
    this.#retries += 1
    if (this.#retries > MAX_RETRIES) return false
    const outstanding = seqDiff(this.#highest, this.#una)
    this.#timed = undefined
    this.#next = this.#una
    this.#roundTrip.backOff()
    if (this.#window === 0) this.#probe()
    else {
      if (outstanding > 0) this.#congestion.handleTimeout(outstanding)
      this.transmit(now)
    }
    if (this.#hasWork()) this.#arm(now)
    return true
  }

  /** Sends one segment if there is something to send and room for it. */
  #transmitOne(now: number): boolean {
    const offset = seqDiff(this.#next, this.#una)
    if (offset > this.#buffer.length) return false // the FIN is out
    const unsent = this.#buffer.length - offset
    const room = Math.floor(Math.min(this.#window, this.#congestion.window)) - offset
    const length = Math.max(0, Math.min(unsent, this.#mss, room))
    const fin = this.#finQueued && length === unsent && room > length
    if (length === 0 && !fin) return false
    // A small segment in the midst of the stream waits until there is room for a whole one (RFC 9293, 3.8.6.2.1).
    if (length < this.#mss && length < unsent && offset > 0) return false
    this.#send(offset, length, fin)
    this.#note(now)
    return true
  }

  #send(offset: number, length: number, fin: boolean): void {
    const push = length > 0 && offset + length === this.#buffer.length
    this.#emit(this.#next, this.#buffer.read(offset, length), { fin, push })
    this.#next = seqAdd(this.#next, length + (fin ? 1 : 0))
  }

  /** Notes what was sent for the first time: it is timed, unless something is being timed already. */
  #note(now: number): void {
    if (seqDiff(this.#next, this.#highest) > 0) {
      this.#highest = this.#next
      this.#timed ??= { end: this.#next, at: now }
    }
    if (this.timeoutAt === Infinity) this.#arm(now)
  }

  #progress(acked: number, now: number): void {
    const bytes = Math.min(acked, this.#buffer.length)
    this.#buffer.drop(bytes)
    if (acked > bytes) this.#finAcked = true
    this.#una = seqAdd(this.#una, acked)
    if (seqDiff(this.#next, this.#una) < 0) this.#next = this.#una
    this.#retries = 0
    this.#roundTrip.progress()
    if (this.#timed !== undefined && seqDiff(this.#una, this.#timed.end) >= 0) {
      this.#roundTrip.measure(now - this.#timed.at)
      this.#timed = undefined
    }
    this.timeoutAt = Infinity
    if (seqDiff(this.#highest, this.#una) > 0) this.#arm(now)
    if (this.#congestion.handleProgress(acked, this.#una)) this.#resendFirst(now)
  }

  #updateWindow({ sequence, acknowledgment, window }: Acknowledgment, now: number): void {
    if (window === 0) this.#retries = 0 // a peer that says so is alive
    const newer = seqDiff(sequence, this.#windowFrom.sequence)
    if (newer < 0 || (newer === 0 && seqDiff(acknowledgment, this.#windowFrom.acknowledgment) < 0)) return
    const opened = this.#window === 0 && window > 0
    this.#windowFrom = { sequence, acknowledgment }
    this.#window = window
    this.#widest = Math.max(this.#widest, window)
    if (!opened) return
    // What probed the shut window was most likely thrown away: it goes again with the rest.
    this.#next = this.#una
    this.#timed = undefined
    this.#roundTrip.progress()
    this.#arm(now)
  }

  #resendFirst(now: number): void {
    const length = Math.min(this.#mss, this.#buffer.length)
    const fin = this.#finQueued && length === this.#buffer.length && !this.#finAcked
    const next = this.#next
    this.#next = this.#una
    this.#timed = undefined
    this.#send(0, length, fin && seqDiff(this.#highest, this.#una) > length)
    if (seqDiff(next, this.#next) > 0) this.#next = next
    this.#arm(now)
  }

  /** One byte, or the FIN, beyond a shut window, so that the peer says how its window stands. */
  #probe(): void {
    if (this.#buffer.length > 0) this.#send(0, 1, false)
    else if (this.#finQueued && !this.#finAcked) this.#send(0, 0, true)
    if (seqDiff(this.#next, this.#highest) > 0) this.#highest = this.#next
  }

  #hasWork(): boolean {
    return this.#buffer.length > 0 || (this.#finQueued && !this.#finAcked)
  }

  #arm(now: number): void {
    this.timeoutAt = now + this.#roundTrip.timeout
  }
}
