// One request of a client and the answer it waits for, on a stream of HTTP/2 inside Noise.

import type { ServerHttp2Stream } from 'node:http2'
import { constants as http2 } from 'node:http2'
import { encodeJson } from '@mesh/wire/control'

/** A client that lets this much pile up reads no more: its stream is cut, and it will come back for a snapshot. */
const MAX_QUEUED = 4 << 20

/** Answers a request whose body is not, or no longer, wanted: the client is told to stop sending it. */
export function turnAway(stream: ServerHttp2Stream, status: number, text: string): void {
  stream.on('finish', () => stream.close(http2.NGHTTP2_NO_ERROR))
  new Exchange(stream, false).sendText(status, text)
}

/** Writes the answers of one exchange. Writing to a stream that is gone does nothing. */
export class Exchange {
  /** Whether the client asked for zstd. */
  readonly packed: boolean
  readonly #stream: ServerHttp2Stream

  constructor(stream: ServerHttp2Stream, packed: boolean) {
    this.#stream = stream
    this.packed = packed
  }

  /** Whether its client is there no more. */
  get isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }

  /** Answers with one JSON document. */
  sendJson(value: unknown): void {
    if (!this.#open(200, 'application/json')) return
    this.#stream.end(encodeJson(value))
  }

  /** Answers with a sentence; an answer that has begun is cut off instead, one that is whole stands. */
  sendText(status: number, text: string): void {
    if (this.#stream.writableEnded) return
    if (this.#stream.headersSent) this.#stream.close(http2.NGHTTP2_INTERNAL_ERROR)
    else if (this.#open(status, 'text/plain; charset=utf-8')) this.#stream.end(`${text}\n`)
  }

  /**
   * Writes one message of the map stream. Returns false when the client stopped reading and was cut off.
   *
   * @param onWritten - Called once when the message is on its way, or never will be.
   */
  sendMap(message: Uint8Array, onWritten?: () => void): boolean {
    if (!this.#open(200, 'application/octet-stream')) {
      onWritten?.()
      return true
    }
    if (this.#stream.writableLength > MAX_QUEUED) {
      onWritten?.()
      this.#stream.close(http2.NGHTTP2_CANCEL)
      return false
    }
    this.#stream.write(message, onWritten)
    return true
  }

  /** Ends the answer; it is empty when nothing was written. */
  end(): void {
    if (this.#open(200, 'application/octet-stream')) this.#stream.end()
  }

  #open(status: number, type: string): boolean {
    if (this.isGone || this.#stream.writableEnded) return false
    if (!this.#stream.headersSent) this.#stream.respond({ ':status': status, 'content-type': type })
    return true
  }
}
