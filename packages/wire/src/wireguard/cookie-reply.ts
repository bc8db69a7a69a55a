// Cookie reply (data-plane section 1.1, type 3): what a loaded responder sends instead of working.
import { readU32le, writeU32le } from '../little-endian.ts'
import { COOKIE_REPLY_LENGTH, MESSAGE_COOKIE_REPLY, messageType } from './messages.ts'

/** A cookie reply; the fields of a decoded one are views. */
export interface CookieReply {
  /** The sender index of the message answered. */
  readonly receiver: number
  /** Random nonce of XChaCha20-Poly1305, 24 bytes. */
  readonly nonce: Uint8Array
  /** The 16-byte cookie, sealed: 32 bytes. */
  readonly sealedCookie: Uint8Array
}

const RECEIVER = 4
const NONCE = 8
const SEALED_COOKIE = 32

/** Reads a cookie reply of exactly 64 bytes, or returns `undefined`. Fields view `datagram`. */
export function decodeCookieReply(datagram: Uint8Array): CookieReply | undefined {
  if (messageType(datagram) !== MESSAGE_COOKIE_REPLY) return undefined
  return {
    receiver: readU32le(datagram, RECEIVER),
    nonce: datagram.subarray(NONCE, SEALED_COOKIE),
    sealedCookie: datagram.subarray(SEALED_COOKIE),
  }
}

/**
 * Returns the 64 bytes of a cookie reply.
 *
 * @throws RangeError when a field has the wrong length.
 */
export function encodeCookieReply(message: CookieReply): Uint8Array {
  if (message.nonce.length !== 24) throw new RangeError(`nonce has ${message.nonce.length} bytes, not 24`)
  if (message.sealedCookie.length !== 32) {
    throw new RangeError(`sealedCookie has ${message.sealedCookie.length} bytes, not 32`)
  }
  const datagram = new Uint8Array(COOKIE_REPLY_LENGTH)
  datagram[0] = MESSAGE_COOKIE_REPLY
  writeU32le(datagram, RECEIVER, message.receiver)
  datagram.set(message.nonce, NONCE)
  datagram.set(message.sealedCookie, SEALED_COOKIE)
  return datagram
}
