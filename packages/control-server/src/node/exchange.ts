// One request of a client and the answer it waits for, on a stream of HTTP/2 inside Noise.

import type { ServerHttp2Stream } from 'node:http2'
import { constants as http2 } from 'node:http2'
import { zstdCompressSync, constants as zlib } from 'node:zlib'
import type { MapResponse, Zstd } from '@mesh/wire/control'
import { encodeJson, encodeMapResponse, KEEP_ALIVE_RESPONSE } from '@mesh/wire/control'

/** A client that lets this much pile up reads no more: its stream is cut, and it will come back for a snapshot. */
const MAX_QUEUED = 4 << 20
/** Speed matters more than size here; every message is a frame of its own. */
const ZSTD_LEVEL = 1

const zstd: Pick<Zstd, 'compress'> = {
  compress: (bytes) => zstdCompressSync(bytes, { params: { [zlib.ZSTD_c_compressionLevel]: ZSTD_LEVEL } }),
}
const PLAIN_KEEP_ALIVE = encodeMapResponse(KEEP_ALIVE_RESPONSE)
const PACKED_KEEP_ALIVE = encodeMapResponse(KEEP_ALIVE_RESPONSE, zstd as Zstd)

/** Answers a request whose body is not, or no longer, wanted: the client is told to stop sending it. */
export function turnAway(stream: ServerHttp2Stream, status: number, text: string): void {
  stream.on('finish', () => stream.close(http2.NGHTTP2_NO_ERROR))
  new Exchange(stream, false).sendText(status, text)
}

/** Writes the answers of one exchange. Writing to a stream that is gone does nothing. */
export class Exchange {
  readonly #stream: ServerHttp2Stream
  readonly #packed: boolean

  /** @param packed - Whether the client asked for zstd. */
  constructor(stream: ServerHttp2Stream, packed: boolean) {
    this.#stream = stream
    this.#packed = packed
  }

  /** Answers with one JSON document. */
  sendJson(value: unknown): void {
    if (!this.#open(200, 'application/json')) return
    this.#stream.end(encodeJson(value))
  }

  /** Answers with a sentence. */
  sendText(status: number, text: string): void {
    if (!this.#open(status, 'text/plain; charset=utf-8')) return
    this.#stream.end(`${text}\n`)
  }

  /** Writes one message of the map stream. Returns false when the client stopped reading and was cut off. */
  sendMap(response: MapResponse): boolean {
    if (!this.#open(200, 'application/octet-stream')) return true
    if (this.#stream.writableLength > MAX_QUEUED) {
      this.#stream.close(http2.NGHTTP2_CANCEL)
      return false
    }
    this.#stream.write(this.#encode(response))
    return true
  }

  /** Ends the answer; it is empty when nothing was written. */
  end(): void {
    if (this.#open(200, 'application/octet-stream')) this.#stream.end()
  }

  #open(status: number, type: string): boolean {
    if (this.#stream.destroyed || this.#stream.closed || this.#stream.writableEnded) return false
    if (!this.#stream.headersSent) this.#stream.respond({ ':status': status, 'content-type': type })
    return true
  }

  #encode(response: MapResponse): Uint8Array {
    if (response === KEEP_ALIVE_RESPONSE) return this.#packed ? PACKED_KEEP_ALIVE : PLAIN_KEEP_ALIVE
    return this.#packed ? encodeMapResponse(response, zstd as Zstd) : encodeMapResponse(response)
  }
}
