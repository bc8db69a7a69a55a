// X25519 (RFC 7748): from a private key to its public key, and from my private and your public key to the
// secret only we two share. The arithmetic sits behind a seat, so that a shell may bring a faster one.
import { x25519 as noble } from '@noble/curves/ed25519.js'

/** Bytes in every Curve25519 key, private or public. */
export const KEY_LENGTH = 32

/** Gives this many fresh random bytes; each call returns a new array. */
export type RandomSource = (length: number) => Uint8Array

/**
 * The seat for X25519. `Crypto` of `@mesh/noise` fits it, so `nodeCrypto` can be passed wherever this is asked for.
 */
export interface X25519 {
  /**
   * Returns the 32-byte shared secret, or `undefined` when it would be all zero (a public key of low order, which a
   * stranger may choose; RFC 7748 section 6.1). Neither argument is changed or kept.
   */
  x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined
  /** Returns the public key of a private key. */
  x25519Public(privateKey: Uint8Array): Uint8Array
}

/** X25519 in plain JavaScript by `@noble/curves`: runs everywhere, about a millisecond an agreement. */
export const nobleX25519: X25519 = {
  x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined {
    try {
      return noble.getSharedSecret(privateKey, publicKey)
    } catch {
      return undefined
    }
  },
  x25519Public(privateKey: Uint8Array): Uint8Array {
    return noble.getPublicKey(privateKey)
  },
}

/**
 * Returns a new private key: 32 random bytes, clamped.
 *
 * @throws RangeError when `random` gives another number of bytes.
 */
export function generatePrivateKey(random: RandomSource): Uint8Array {
  return clampPrivateKey(checkKey(random(KEY_LENGTH), 'random'))
}

/**
 * Returns a copy of 32 bytes with the bits of a Curve25519 private key set (RFC 7748 section 5). X25519 does the same
 * inside; keys are stored clamped so that one key has one written form.
 *
 * @throws RangeError when `bytes` is not 32 bytes.
 */
export function clampPrivateKey(bytes: Uint8Array): Uint8Array {
  const key = Uint8Array.from(checkKey(bytes, 'bytes'))
  key[0] = (key[0] ?? 0) & 248
  key[31] = ((key[31] ?? 0) & 127) | 64
  return key
}

/**
 * Returns the public key that belongs to a private key.
 *
 * @throws RangeError when `privateKey` is not 32 bytes.
 */
export function publicKeyOf(privateKey: Uint8Array, x25519: X25519 = nobleX25519): Uint8Array {
  return x25519.x25519Public(checkKey(privateKey, 'privateKey'))
}

/**
 * Returns the secret that the owners of both keys share, or `undefined` when it would be all zero.
 *
 * @throws RangeError when a key is not 32 bytes.
 */
export function agree(
  privateKey: Uint8Array,
  publicKey: Uint8Array,
  x25519: X25519 = nobleX25519,
): Uint8Array | undefined {
  return x25519.x25519(checkKey(privateKey, 'privateKey'), checkKey(publicKey, 'publicKey'))
}

/** Returns `key` when it is 32 bytes long. */
export function checkKey(key: Uint8Array, argument: string): Uint8Array {
  if (key.length !== KEY_LENGTH) {
    throw new RangeError(`${argument}: a key is ${KEY_LENGTH} bytes, this is ${key.length}`)
  }
  return key
}
