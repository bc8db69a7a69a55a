// What a server may say inside Noise before HTTP/2 begins (control protocol §2.4): five magic bytes, a big-endian
// length and JSON. A client must do with and without it, and with it cut anywhere.

import { encodeJson, parseJson } from './json.ts'
import { type JsonDecoder, keyText, object, optional } from './schema.ts'

/** The early payload's content. */
export interface EarlyPayload {
  /** A key to prove the node key against; nobody asks for the proof. */
  readonly nodeKeyChallenge?: `chalpub:${string}`
}

/** The bytes that tell an early payload from an HTTP/2 SETTINGS frame: `ff ff ff` and `TS`. */
export const EARLY_PAYLOAD_MAGIC: Uint8Array = Uint8Array.of(0xff, 0xff, 0xff, 0x54, 0x53)

/** The longest JSON this reader takes, bytes. The protocol would allow 10 MiB; what is sent is under 100 bytes. */
export const MAX_EARLY_PAYLOAD_LENGTH = 64 << 10

const HEADER_LENGTH = 9

const decodeEarlyPayload: JsonDecoder<EarlyPayload> = object<EarlyPayload>({
  nodeKeyChallenge: optional(keyText('chalpub:')),
})

/** Returns the early payload as the bytes to send first inside Noise. */
export function encodeEarlyPayload(payload: EarlyPayload): Uint8Array {
  const json = encodeJson(payload)
  const bytes = new Uint8Array(HEADER_LENGTH + json.length)
  bytes.set(EARLY_PAYLOAD_MAGIC)
  new DataView(bytes.buffer).setUint32(EARLY_PAYLOAD_MAGIC.length, json.length)
  bytes.set(json, HEADER_LENGTH)
  return bytes
}

/** What the reader has found: it wants more bytes, it is done, or the bytes are bad. */
export type EarlyPayloadResult =
  | { readonly kind: 'more' }
  | { readonly kind: 'done'; readonly payload: EarlyPayload | undefined; readonly rest: Uint8Array }
  | { readonly kind: 'bad' }

/** Takes the early payload, if there is one, off the front of a stream that comes in pieces. */
export class EarlyPayloadReader {
  #held: Uint8Array = new Uint8Array(0)

  /** Takes the next bytes. After `done`, `rest` is where HTTP/2 begins and the reader is finished. */
  feed(chunk: Uint8Array): EarlyPayloadResult {
    const bytes = this.#held.length === 0 ? chunk : concat(this.#held, chunk)
    this.#held = bytes
    if (!startsLikeMagic(bytes)) return { kind: 'done', payload: undefined, rest: bytes }
    if (bytes.length < HEADER_LENGTH) return { kind: 'more' }
    const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(EARLY_PAYLOAD_MAGIC.length)
    if (size > MAX_EARLY_PAYLOAD_LENGTH) return { kind: 'bad' }
    const end = HEADER_LENGTH + size
    if (bytes.length < end) return { kind: 'more' }
    const payload = decodeEarlyPayload(parseJson(bytes.subarray(HEADER_LENGTH, end)))
    return payload === undefined ? { kind: 'bad' } : { kind: 'done', payload, rest: bytes.subarray(end) }
  }
}

function startsLikeMagic(bytes: Uint8Array): boolean {
  const length = Math.min(bytes.length, EARLY_PAYLOAD_MAGIC.length)
  for (let i = 0; i < length; i += 1) {
    if (bytes[i] !== EARLY_PAYLOAD_MAGIC[i]) return false
  }
  return true
}

function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const joined = new Uint8Array(first.length + second.length)
  joined.set(first)
  joined.set(second, first.length)
  return joined
}
