// The three frames of a login (data-plane section 2.6): the server shows its key, the client proves to have its own,
// the server lets it in. What is sealed in the two boxes is JSON; the boxes are the business of @mesh/keys.
import { FRAME_CLIENT_INFO, FRAME_SERVER_INFO, FRAME_SERVER_KEY, encodeFrame } from './frame.ts'

/** The eight bytes that start a server key frame: "DERP" and a key in UTF-8. */
export const DERP_MAGIC: Uint8Array = Uint8Array.of(0x44, 0x45, 0x52, 0x50, 0xf0, 0x9f, 0x94, 0x91)
/** The protocol version of both sides; nothing negotiates it. */
export const DERP_VERSION = 2

const KEY_LENGTH = 32
const NONCE_LENGTH = 24
const TAG_LENGTH = 16

/** Returns a server key frame. Throws RangeError when the key has not 32 bytes. */
export function encodeServerKey(serverKey: Uint8Array): Uint8Array {
  requireLength(serverKey, KEY_LENGTH, 'serverKey')
  return encodeFrame(FRAME_SERVER_KEY, DERP_MAGIC, serverKey)
}

/** Reads the payload of a server key frame: the key, a view, or `undefined` when the magic is wrong or it is short. */
export function decodeServerKey(payload: Uint8Array): Uint8Array | undefined {
  if (payload.length < DERP_MAGIC.length + KEY_LENGTH) return undefined
  for (let i = 0; i < DERP_MAGIC.length; i += 1) if (payload[i] !== DERP_MAGIC[i]) return undefined
  return payload.subarray(DERP_MAGIC.length, DERP_MAGIC.length + KEY_LENGTH)
}

/** A box and its nonce; the fields of a decoded one are views. */
export interface SealedInfo {
  /** The nonce, 24 bytes. */
  readonly nonce: Uint8Array
  /** The sealed JSON, tag first. */
  readonly box: Uint8Array
}

/** A sealed client info and whose it is. */
export interface SealedClientInfo extends SealedInfo {
  /** The client's node public key, 32 bytes; a claim until the box opens. */
  readonly clientKey: Uint8Array
}

/** Returns a client info frame. Throws RangeError when the key has not 32 or the nonce not 24 bytes. */
export function encodeSealedClientInfo(info: SealedClientInfo): Uint8Array {
  requireLength(info.clientKey, KEY_LENGTH, 'clientKey')
  requireLength(info.nonce, NONCE_LENGTH, 'nonce')
  return encodeFrame(FRAME_CLIENT_INFO, info.clientKey, info.nonce, info.box)
}

/** Reads the payload of a client info frame, or returns `undefined` when it is too short to hold a box. */
export function decodeSealedClientInfo(payload: Uint8Array): SealedClientInfo | undefined {
  const sealed = decodeSealedServerInfo(payload.subarray(KEY_LENGTH))
  return sealed && { clientKey: payload.subarray(0, KEY_LENGTH), ...sealed }
}

/** Returns a server info frame. Throws RangeError when the nonce has not 24 bytes. */
export function encodeSealedServerInfo(info: SealedInfo): Uint8Array {
  requireLength(info.nonce, NONCE_LENGTH, 'nonce')
  return encodeFrame(FRAME_SERVER_INFO, info.nonce, info.box)
}

/** Reads the payload of a server info frame, or returns `undefined` when it is too short to hold a box. */
export function decodeSealedServerInfo(payload: Uint8Array): SealedInfo | undefined {
  if (payload.length < NONCE_LENGTH + TAG_LENGTH) return undefined
  return { nonce: payload.subarray(0, NONCE_LENGTH), box: payload.subarray(NONCE_LENGTH) }
}

function requireLength(field: Uint8Array, length: number, name: string): void {
  if (field.length !== length) throw new RangeError(`${name} has ${field.length} bytes, not ${length}`)
}
