// What one connection still has to send: control frames first, then data of all streams in turn, as much as the client
// gave room for (RFC 9113 §5.2). Bytes wait as they were handed in, so that what many connections send is there once.

import { DEFAULT_WINDOW, FLAG, FRAME, FRAME_HEADER, MAX_FRAME, MAX_WINDOW, putFrameHeader } from './frames.ts'

/** The sending half of one stream. */
export class SendStream {
  /** Its number. */
  readonly id: number
  /** How many bytes the client takes. Below zero when it made its window smaller. */
  window: number
  /** Whether it ends with what is queued. */
  isEnding = false
  /** Whether its end is sent. */
  hasEnded = false
  /** Whether its owner wants to hear when everything is sent. */
  isWatched = false
  /** Bytes that wait. */
  queued = 0
  /** Bytes that are sent. */
  sent = 0
  readonly #parts: Uint8Array[] = []
  /** How much of the first part is sent. */
  #taken = 0

  constructor(id: number, window: number) {
    this.id = id
    this.window = window
  }

  /** Queues bytes. They must not change. */
  add(part: Uint8Array): void {
    if (part.length === 0) return
    this.#parts.push(part)
    this.queued += part.length
  }

  /** Moves the next `length` bytes, of those that wait, to a place. */
  move(length: number, into: Uint8Array, at: number): void {
    this.queued -= length
    this.sent += length
    const end = at + length
    for (let to = at; to < end; ) {
      const part = this.#parts[0] as Uint8Array
      const size = Math.min(part.length - this.#taken, end - to)
      into.set(size === part.length ? part : part.subarray(this.#taken, this.#taken + size), to)
      to += size
      this.#taken += size
      if (this.#taken < part.length) return
      this.#parts.shift()
      this.#taken = 0
    }
  }

  /** Forgets what waits. */
  clear(): void {
    this.#parts.length = 0
    this.queued = 0
    this.#taken = 0
  }
}

/** Everything that waits on a connection. */
export class Outbox {
  readonly #onSent: (stream: SendStream) => void
  readonly #control: Uint8Array[] = []
  /** Streams with something to send and room for it, in turn. */
  readonly #ready = new Set<SendStream>()
  #window = DEFAULT_WINDOW

  /** @param onSent - Hears that a stream has sent everything, when it is watched, or has ended. */
  constructor(onSent: (stream: SendStream) => void) {
    this.#onSent = onSent
  }

  /** How many control frames wait. */
  get controlFrames(): number {
    return this.#control.length
  }

  /** About how many bytes could be sent now; enough for the first frame. */
  get backlog(): number {
    let bytes = 0
    for (const { length } of this.#control) bytes += length
    for (const { queued, window } of this.#ready) bytes += FRAME_HEADER + Math.min(queued, window)
    return bytes
  }

  /** Whether anything could be sent now. */
  get hasWork(): boolean {
    return this.#control.length > 0 || (this.#ready.size > 0 && (this.#window > 0 || this.#hasEmpty()))
  }

  /** Queues a control frame. */
  say(frame: Uint8Array): void {
    this.#control.push(frame)
  }

  /** Notes that a stream may have something to send, or room again. */
  wake(stream: SendStream): void {
    if (isReady(stream)) this.#ready.add(stream)
    else this.#ready.delete(stream)
  }

  /** Forgets what a stream has not sent. */
  drop(stream: SendStream): void {
    stream.clear()
    this.#ready.delete(stream)
  }

  /** Forgets everything that is not sent. */
  clear(): void {
    this.#control.length = 0
    this.#ready.clear()
  }

  /** Takes room on the connection. Returns false when that is more than there can be. */
  grant(bytes: number): boolean {
    this.#window += bytes
    return this.#window <= MAX_WINDOW
  }

  /** Writes whole frames to a place, as many as there are and fit. Returns where they end. */
  sendInto(into: Uint8Array, start: number, end: number): number {
    let at = start
    for (let next = this.#control[0]; next; next = this.#control[0]) {
      if (next.length > end - at) return at
      into.set(next, at)
      at += next.length
      this.#control.shift()
    }
    for (const stream of this.#ready) {
      if (at + FRAME_HEADER > end) break
      const length = Math.min(stream.queued, stream.window, this.#window, MAX_FRAME, end - at - FRAME_HEADER)
      if (length <= 0 && stream.queued > 0) continue
      at = this.#send(stream, length, into, at)
    }
    return at
  }

  #send(stream: SendStream, length: number, into: Uint8Array, at: number): number {
    stream.hasEnded = stream.isEnding && length === stream.queued
    putFrameHeader(into, at, length, FRAME.data, stream.hasEnded ? FLAG.endStream : 0, stream.id)
    stream.move(length, into, at + FRAME_HEADER)
    stream.window -= length
    this.#window -= length
    // At the end of the line again, or out of it.
    this.#ready.delete(stream)
    if (isReady(stream)) this.#ready.add(stream)
    if (stream.hasEnded || (stream.isWatched && stream.queued === 0)) this.#onSent(stream)
    return at + FRAME_HEADER + length
  }

  #hasEmpty(): boolean {
    for (const stream of this.#ready) if (stream.queued === 0) return true
    return false
  }
}

function isReady({ queued, window, isEnding, hasEnded }: SendStream): boolean {
  return queued > 0 ? window > 0 : isEnding && !hasEnded
}
