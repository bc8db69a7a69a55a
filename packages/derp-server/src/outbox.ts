// What one connection still has to be sent. A stream takes every byte it is given and never says no, so the
// saying no happens here, before the stream: a window of bytes on their way, then two short queues. Disco has
// its own queue, because a flood of data must not push out the few packets that could end it by finding a
// direct path (data-plane §2.7).
import { SEND_QUEUE_LENGTH, WRITE_WINDOW } from './constants.ts'
import { PacketQueue, type QueuedFrame } from './packet-queue.ts'

/** The outbound side of one connection: a byte window, a disco queue and a data queue. */
export class Outbox<S> {
  readonly #disco = new PacketQueue<S>(SEND_QUEUE_LENGTH)
  readonly #data = new PacketQueue<S>(SEND_QUEUE_LENGTH)
  #timeout: number
  #inFlight = 0
  #discoTurn = true
  #corked = false
  #deadline = Infinity

  /** Gives a stream `timeout` milliseconds to take something; 0 is for ever. */
  constructor(timeout: number) {
    this.#timeout = timeout === 0 ? Infinity : timeout
  }

  /** From the next write on, gives the stream `timeout` milliseconds instead. */
  setTimeout(timeout: number): void {
    this.#timeout = timeout === 0 ? Infinity : timeout
  }

  /** Lets nothing out and makes everything wait, until {@link Outbox.uncork}. */
  cork(): void {
    this.#corked = true
  }

  uncork(): void {
    this.#corked = false
  }

  /** When the stream, if it takes nothing until then, has to be given up. */
  get deadline(): number {
    return this.#deadline
  }

  /** Whether nothing waits and the window has room: a frame may go straight to the stream. */
  get idle(): boolean {
    return !this.#corked && this.#inFlight < WRITE_WINDOW && this.waiting === 0
  }

  /** Whether the stream has taken everything there was. */
  get empty(): boolean {
    return this.#inFlight === 0 && this.waiting === 0
  }

  /** How many packets wait. */
  get waiting(): number {
    return this.#disco.length + this.#data.length
  }

  /** Whether even small frames of the relay itself should be left out for now. */
  get overfull(): boolean {
    return this.#corked || this.#inFlight >= 2 * WRITE_WINDOW
  }

  /** Returns memory for a frame that is pushed to the same queue next. */
  memoryFor(length: number, disco: boolean): Uint8Array {
    return (disco ? this.#disco : this.#data).memoryFor(length)
  }

  /** Adds a packet to its queue; returns whether an older one was dropped for it. */
  push(entry: QueuedFrame<S>, disco: boolean): boolean {
    return (disco ? this.#disco : this.#data).push(entry)
  }

  /** Takes the next waiting packet if the window has room for it. The queues take turns. */
  shift(): QueuedFrame<S> | undefined {
    if (this.#corked || this.#inFlight >= WRITE_WINDOW) return undefined
    const [first, second] = this.#discoTurn ? [this.#disco, this.#data] : [this.#data, this.#disco]
    this.#discoTurn = !this.#discoTurn
    return first.shift() ?? second.shift()
  }

  /** Notes that `length` bytes went to the stream. */
  handleWrite(length: number, now: number): void {
    if (this.#inFlight === 0) this.#deadline = now + this.#timeout
    this.#inFlight += length
  }

  /** Notes that the stream has taken `length` bytes. */
  handleWritten(length: number, now: number): void {
    this.#inFlight = Math.max(0, this.#inFlight - length)
    this.#deadline = this.#inFlight === 0 ? Infinity : now + this.#timeout
  }
}
