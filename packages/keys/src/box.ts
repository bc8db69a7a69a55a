// The NaCl box: what two key holders say to one another and nobody else can read or forge. Disco and DERP use
// it. One agreement gives a key for the pair, which is kept; after that a message costs no curve arithmetic.
// Layout of a sealed message: 16-byte tag first, then as many bytes as went in (the nonce travels beside it).
import { hsalsa, xsalsa20poly1305 } from '@noble/ciphers/salsa.js'
import { agree, nobleX25519, type X25519 } from './agreement.ts'

/** Bytes in the nonce of a box. Drawn at random for each message; 24 bytes make a repeat unthinkable. */
export const BOX_NONCE_LENGTH = 24
/** Bytes a sealed message is longer than what went in (the tag). The nonce is not counted. */
export const BOX_OVERHEAD = 16

declare const boxKey: unique symbol

/** The key two parties share for boxes: 32 secret bytes, the same on both sides. Only {@link precomputeBox} makes one. */
export type BoxKey = Uint8Array & { readonly [boxKey]: true }

/** The four words of "expand 32-byte k" as Salsa20 wants them. */
const SIGMA = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574)

/**
 * Returns the key for boxes between the two key holders, or `undefined` when the public key is of low order.
 *
 * @throws RangeError when a key is not 32 bytes.
 */
export function precomputeBox(
  privateKey: Uint8Array,
  publicKey: Uint8Array,
  x25519: X25519 = nobleX25519,
): BoxKey | undefined {
  const shared = agree(privateKey, publicKey, x25519)
  if (shared === undefined) return undefined
  const words = wordsOf(shared)
  const out = new Uint32Array(8)
  hsalsa(SIGMA, words, new Uint32Array(4), out)
  shared.fill(0)
  words.fill(0)
  return bytesOf(out) as BoxKey
}

/**
 * Returns the sealed message: tag, then the plaintext enciphered. A new array; `plaintext` is left alone.
 *
 * @throws RangeError when `nonce` is not 24 bytes.
 */
export function sealBox(key: BoxKey, nonce: Uint8Array, plaintext: Uint8Array): Uint8Array {
  if (nonce.length !== BOX_NONCE_LENGTH) {
    throw new RangeError(`nonce: a box nonce is ${BOX_NONCE_LENGTH} bytes, this is ${nonce.length}`)
  }
  return xsalsa20poly1305(key, nonce).encrypt(plaintext)
}

/** Returns what was sealed, or `undefined` when the message is short, was changed, or was sealed under another key. */
export function openBox(key: BoxKey, nonce: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < BOX_OVERHEAD || nonce.length !== BOX_NONCE_LENGTH) return undefined
  try {
    return xsalsa20poly1305(key, nonce).decrypt(sealed)
  } catch {
    return undefined
  }
}

function wordsOf(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Uint32Array.from({ length: bytes.length / 4 }, (_, i) => view.getUint32(4 * i, true))
}

function bytesOf(words: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(4 * words.length)
  const view = new DataView(bytes.buffer)
  for (const [i, word] of words.entries()) view.setUint32(4 * i, word, true)
  return bytes
}
