// The framing of the map stream (control protocol §3.3): a little-endian length, then one message, which is JSON
// or one complete zstd frame of JSON. Noise around it is big-endian; this is not.

import { decodeJson, encodeJson } from './json.ts'
import { decodeMapResponse, type MapResponse } from './map-response.ts'

/** Length of the length. */
export const MAP_FRAME_HEADER_LENGTH = 4

/** The largest message as it travels, bytes; the reader refuses to hold more. */
export const MAX_MAP_FRAME_LENGTH = 4 << 20

/** A larger place to hold messages is given up when it is empty: the first map is large, and what follows is not. */
const MAX_KEPT = 64 << 10

/** The largest message once unpacked, bytes: a few kilobytes of zstd could claim gigabytes. */
export const MAX_MAP_RESPONSE_LENGTH = 64 << 20

/**
 * Packs or unpacks one whole zstd frame; filled by the shell, for there is no portable zstd. Unpacking returns
 * `undefined` for bad bytes or a result longer than `maxLength`.
 */
export interface Zstd {
  /** Returns `bytes` as one zstd frame. */
  compress(bytes: Uint8Array): Uint8Array
  /** Returns what one zstd frame holds, or `undefined` when it is bad or longer than `maxLength`. */
  decompress(bytes: Uint8Array, maxLength: number): Uint8Array | undefined
}

const NOTHING = new Uint8Array(0)

/** Returns `message` with its length in front. */
export function encodeMapFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(MAP_FRAME_HEADER_LENGTH + message.length)
  frame.set(encodeMapLength(message.length))
  frame.set(message, MAP_FRAME_HEADER_LENGTH)
  return frame
}

/** Returns what stands in front of a message of so many bytes. */
export function encodeMapLength(length: number): Uint8Array {
  const header = new Uint8Array(MAP_FRAME_HEADER_LENGTH)
  new DataView(header.buffer).setUint32(0, length, true)
  return header
}

/** Returns a map response as it goes on the wire, packed when `zstd` is given. */
export function encodeMapResponse(response: MapResponse, zstd?: Zstd): Uint8Array {
  const json = encodeJson(response)
  return encodeMapFrame(zstd === undefined ? json : zstd.compress(json))
}

/** Returns the map response in one frame's message, or `undefined` when it is bad. */
export function decodeMapMessage(message: Uint8Array, zstd?: Zstd): MapResponse | undefined {
  const json = zstd === undefined ? message : zstd.decompress(message, MAX_MAP_RESPONSE_LENGTH)
  return json === undefined ? undefined : decodeJson(json, decodeMapResponse)
}

/**
 * Cuts a stream that comes in pieces into messages. It holds the pieces of one message, never more than
 * {@link MAX_MAP_FRAME_LENGTH} and the chunk in hand; a length of 0 or above that breaks the stream for good.
 */
export class MapFrameReader {
  readonly #maxLength: number
  #held: Uint8Array = NOTHING
  #start = 0
  #end = 0
  #broken = false

  constructor(maxLength: number = MAX_MAP_FRAME_LENGTH) {
    this.#maxLength = maxLength
  }

  /** Whether a length was refused; nothing more will be read. */
  get broken(): boolean {
    return this.#broken
  }

  /** Takes the next bytes; they are copied. */
  feed(chunk: Uint8Array): void {
    if (this.#broken) return
    this.#reserve(chunk.length)
    this.#held.set(chunk, this.#end)
    this.#end += chunk.length
  }

  /** Returns the next whole message, a view that is good until the next {@link feed}, or `undefined`. */
  read(): Uint8Array | undefined {
    const held = this.#end - this.#start
    if (this.#broken || held < MAP_FRAME_HEADER_LENGTH) return undefined
    const length = new DataView(this.#held.buffer, this.#held.byteOffset).getUint32(this.#start, true)
    if (length === 0 || length > this.#maxLength) {
      this.#broken = true
      this.#clear()
      return undefined
    }
    const begin = this.#start + MAP_FRAME_HEADER_LENGTH
    if (this.#end < begin + length) return undefined
    this.#start = begin + length
    const message = this.#held.subarray(begin, begin + length)
    if (this.#start === this.#end && this.#held.length > MAX_KEPT) this.#clear()
    return message
  }

  #clear(): void {
    this.#held = NOTHING
    this.#start = this.#end = 0
  }

  #reserve(extra: number): void {
    const held = this.#end - this.#start
    if (held === 0) this.#start = this.#end = 0
    if (this.#end + extra <= this.#held.length) return
    const grown = new Uint8Array(
      held + extra <= this.#held.length / 2 ? this.#held.length : 2 * (held + extra),
    )
    grown.set(this.#held.subarray(this.#start, this.#end))
    this.#held = grown
    this.#start = 0
    this.#end = held
  }
}
