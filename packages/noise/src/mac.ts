// The two MACs of a handshake message and the cookie reply (data-plane.md 1.4). MAC1 shows that the sender knows
// whom it talks to, for the price of one hash; MAC2 shows that it can be reached at the address it sends from.
import { constantTimeEqual, type Crypto, KEY_LENGTH, TAG_LENGTH, XNONCE_LENGTH } from './crypto.ts'

/** Bytes in MAC1, in MAC2 and in a cookie. */
export const MAC_LENGTH = 16
/** Bytes in a cookie reply: type, receiver index, 24-byte nonce, sealed cookie. */
export const COOKIE_REPLY_LENGTH = 64

const TYPE_COOKIE_REPLY = 3
const RECEIVER = 4
const NONCE = 8
const SEALED_COOKIE = NONCE + XNONCE_LENGTH

const encoder = new TextEncoder()
const LABEL_MAC1 = encoder.encode('mac1----')
const LABEL_COOKIE = encoder.encode('cookie--')

/** The keys that follow from the public key of whoever receives a handshake message. Anyone may know them. */
export interface MacKeys {
  /** Keys MAC1 of the messages sent to that key's holder. */
  readonly mac1: Uint8Array
  /** Keys the cookie replies which that key's holder sends. */
  readonly cookie: Uint8Array
}

/** Returns the MAC keys of a public key. Work them out once for each peer. */
export function macKeysOf(crypto: Crypto, publicKey: Uint8Array): MacKeys {
  return { mac1: labelled(crypto, LABEL_MAC1, publicKey), cookie: labelled(crypto, LABEL_COOKIE, publicKey) }
}

/** Writes MAC1 into an initiation or a response, and returns a view of it. */
export function writeMac1(crypto: Crypto, keys: MacKeys, message: Uint8Array): Uint8Array {
  const at = message.length - 2 * MAC_LENGTH
  message.set(crypto.blake2s(message.subarray(0, at), { key: keys.mac1, length: MAC_LENGTH }), at)
  return mac1Of(message)
}

/** Tells whether MAC1 of an initiation or a response is right. */
export function hasMac1(crypto: Crypto, keys: MacKeys, message: Uint8Array): boolean {
  const body = message.subarray(0, message.length - 2 * MAC_LENGTH)
  return constantTimeEqual(mac1Of(message), crypto.blake2s(body, { key: keys.mac1, length: MAC_LENGTH }))
}

/** Returns a view of MAC1 in an initiation or a response. */
export function mac1Of(message: Uint8Array): Uint8Array {
  return message.subarray(message.length - 2 * MAC_LENGTH, message.length - MAC_LENGTH)
}

/** Writes MAC2, after MAC1, with a cookie the receiver gave. */
export function writeMac2(crypto: Crypto, cookie: Uint8Array, message: Uint8Array): void {
  message.set(mac2(crypto, cookie, message), message.length - MAC_LENGTH)
}

/** Tells whether MAC2 was made with this cookie. */
export function hasMac2(crypto: Crypto, cookie: Uint8Array, message: Uint8Array): boolean {
  return constantTimeEqual(message.subarray(message.length - MAC_LENGTH), mac2(crypto, cookie, message))
}

/** Returns the cookie for a source: only who receives at that address can learn it. Any bytes may name the source. */
export function cookieFor(crypto: Crypto, secret: Uint8Array, source: Uint8Array): Uint8Array {
  const digest = source.length > KEY_LENGTH ? crypto.blake2s(source) : source
  return crypto.blake2s(digest, { key: secret, length: MAC_LENGTH })
}

/** What goes into a cookie reply. */
export interface CookieReply {
  /** The sender index of the message that is answered. */
  readonly receiverIndex: number
  /** MAC1 of the message that is answered. */
  readonly mac1: Uint8Array
  /** The cookie, 16 bytes. */
  readonly cookie: Uint8Array
  /** 24 random bytes. */
  readonly nonce: Uint8Array
}

/** Returns the 64 bytes of a cookie reply. `keys` are those of our own public key. */
export function sealCookieReply(crypto: Crypto, keys: MacKeys, reply: CookieReply): Uint8Array {
  const message = new Uint8Array(COOKIE_REPLY_LENGTH)
  message[0] = TYPE_COOKIE_REPLY
  new DataView(message.buffer).setUint32(RECEIVER, reply.receiverIndex, true)
  message.set(reply.nonce, NONCE)
  message.set(crypto.xseal(keys.cookie, reply.nonce, reply.mac1, reply.cookie), SEALED_COOKIE)
  return message
}

/**
 * Returns the cookie in a reply, or `undefined` when the reply does not answer that very message.
 *
 * @param keys - Those of the public key of the peer that replies.
 * @param mac1 - MAC1 of the last message sent to it.
 */
export function openCookieReply(
  crypto: Crypto,
  keys: MacKeys,
  mac1: Uint8Array,
  message: Uint8Array,
): Uint8Array | undefined {
  if (message.length !== COOKIE_REPLY_LENGTH || message[0] !== TYPE_COOKIE_REPLY) return undefined
  const nonce = message.subarray(NONCE, SEALED_COOKIE)
  const cookie = crypto.xopen(keys.cookie, nonce, mac1, message.subarray(SEALED_COOKIE))
  return cookie?.length === COOKIE_REPLY_LENGTH - SEALED_COOKIE - TAG_LENGTH ? cookie : undefined
}

function mac2(crypto: Crypto, cookie: Uint8Array, message: Uint8Array): Uint8Array {
  return crypto.blake2s(message.subarray(0, message.length - MAC_LENGTH), { key: cookie, length: MAC_LENGTH })
}

function labelled(crypto: Crypto, label: Uint8Array, publicKey: Uint8Array): Uint8Array {
  const data = new Uint8Array(label.length + publicKey.length)
  data.set(label)
  data.set(publicKey, label.length)
  return crypto.blake2s(data)
}
