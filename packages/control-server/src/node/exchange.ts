// One request of a client and the answer it waits for, on a stream of HTTP/2 inside Noise.

import { encodeJson } from '@mesh/wire/control'
import { CODE } from '../http2/frames.ts'
import type { MachineLink } from './machine-link.ts'

/**
 * A client that lets this much pile up, beside its snapshot, reads no more: its stream is cut, and it will come back for
 * another.
 */
const MAX_QUEUED = 4 << 20
/**
 * How long a client may take nothing of a snapshot, or of an answer that is whole, milliseconds: the one keeps others from
 * theirs, the other a connection open.
 */
const PATIENCE = 30_000
const MAP = 'application/octet-stream'

/** Writes the answers of one exchange. Writing to a stream that is gone does nothing. */
export class Exchange {
  /** Whether the client asked for zstd. */
  packed = false
  /** Hears that there is nothing more to answer, once, however it came to that. */
  onOver: () => void = () => undefined
  readonly #link: MachineLink
  readonly #stream: number
  #onWritten: (() => void) | undefined
  /** The length of a snapshot that is not yet on its way. */
  #snapshot = 0
  #patience: ReturnType<typeof setTimeout> | undefined

  constructor(link: MachineLink, stream: number) {
    this.#link = link
    this.#stream = stream
  }

  /** Whether its client is there no more. */
  get isGone(): boolean {
    return this.#link.http2.answerOf(this.#stream) === 'gone'
  }

  /** Whether its answer has begun. */
  get hasBegun(): boolean {
    return this.#link.http2.answerOf(this.#stream) === 'begun'
  }

  /** Answers with one JSON document. */
  sendJson(value: unknown): void {
    this.#answer(200, 'application/json', encodeJson(value))
  }

  /**
   * Answers with a sentence; an answer that has begun is cut off instead, one that is whole stands.
   *
   * @param retryAfter - When the client is to ask again, seconds.
   */
  sendText(status: number, text: string, retryAfter?: number): void {
    if (this.hasBegun) {
      this.#link.http2.reset(this.#stream, CODE.internal)
      this.#link.flush()
    } else this.#answer(status, 'text/plain; charset=utf-8', Buffer.from(`${text}\n`), retryAfter)
  }

  /**
   * Writes one message of the map stream. Returns false when the client stopped reading and was cut off.
   *
   * @param message - The pieces it consists of, which must not change.
   * @param onWritten - Comes with a snapshot: called once when it is on its way, or never will be.
   */
  sendMap(message: readonly Uint8Array[], onWritten?: () => void): boolean {
    const { http2 } = this.#link
    const stream = this.#stream
    const isSlow = http2.queued(stream) > MAX_QUEUED + this.#snapshot
    if (isSlow) http2.reset(stream, CODE.cancel)
    http2.respond(stream, 200, MAP)
    for (const part of message) http2.write(stream, part)
    if (onWritten) this.#watch(onWritten, lengthOf(message))
    this.#link.flush()
    if (onWritten && this.#onWritten) this.#awaitReader()
    return !isSlow
  }

  /** Ends the answer; it is empty when nothing was written. */
  end(): void {
    this.#answer(200, MAP, undefined)
  }

  /** Gives the client up. */
  cancel(): void {
    this.#link.http2.reset(this.#stream, CODE.cancel)
    this.#link.flush()
  }

  /** Takes that what was written is on its way. */
  handleWritten(): void {
    const onWritten = this.#onWritten
    this.#onWritten = undefined
    this.#snapshot = 0
    clearTimeout(this.#patience)
    onWritten?.()
  }

  /** Takes that its stream is over. */
  handleOver(): void {
    this.handleWritten()
    this.onOver()
  }

  #watch(onWritten: () => void, snapshot: number): void {
    this.handleWritten()
    this.#onWritten = onWritten
    this.#snapshot = snapshot
    if (this.isGone) this.handleWritten()
    else this.#link.http2.watch(this.#stream)
  }

  #answer(status: number, type: string, body: Uint8Array | undefined, retryAfter?: number): void {
    const { http2 } = this.#link
    http2.respond(this.#stream, status, type, retryAfter)
    if (body) http2.write(this.#stream, body)
    http2.end(this.#stream)
    this.#link.flush()
    if (http2.answerOf(this.#stream) === 'whole') this.#awaitReader()
  }

  /** Gives a client up that takes nothing of what waits for too long. */
  #awaitReader(): void {
    clearTimeout(this.#patience)
    const before = this.#link.http2.sent(this.#stream)
    this.#patience = setTimeout(() => {
      if (this.#link.http2.sent(this.#stream) > before) this.#awaitReader()
      else this.cancel()
    }, PATIENCE).unref()
  }
}

/** Returns the length of a message in pieces. */
export function lengthOf(message: readonly Uint8Array[]): number {
  return message.reduce((sum, { length }) => sum + length, 0)
}
