// The seat for the primitives that Noise and WireGuard are made of. A filling is a plain object of functions; the
// portable one is `nobleCrypto`, the one for Node is in `./node`, and `./contract` is what each must pass.

/** Bytes in a Curve25519 key, a ChaCha20-Poly1305 key and a BLAKE2s digest. */
export const KEY_LENGTH = 32
/** Bytes an AEAD ciphertext is longer than its plaintext. */
export const TAG_LENGTH = 16
/** Bytes in a ChaCha20-Poly1305 nonce. */
export const NONCE_LENGTH = 12
/** Bytes in an XChaCha20-Poly1305 nonce. */
export const XNONCE_LENGTH = 24

/** Gives this many fresh random bytes; each call returns a new array. */
export type RandomSource = (length: number) => Uint8Array

/**
 * The primitives. Nothing here keeps or changes an argument, and every result is a new array unless an output was
 * lent. A private or symmetric key array may be wiped by its owner afterwards, but not filled with another key.
 */
export interface Crypto {
  /** What fills the seat, for a status page: `noble`, `node`, … */
  readonly name: string
  /** Returns the shared secret, or `undefined` when it would be all zero (a low-order public key). */
  x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array | undefined
  /** Returns the public key of a private key. */
  x25519Public(privateKey: Uint8Array): Uint8Array
  /** Returns the BLAKE2s digest: 32 bytes, or `length` (1…32), keyed when `key` (1…32 bytes) is given. */
  blake2s(data: Uint8Array, options?: Blake2sOptions): Uint8Array
  /** Returns HMAC-BLAKE2s-256 (RFC 2104, 64-byte block), which is not the keyed mode. */
  hmac(key: Uint8Array, data: Uint8Array): Uint8Array
  /**
   * Seals with ChaCha20-Poly1305 (RFC 8439): ciphertext, then the 16-byte tag.
   *
   * @param into - Where to write, exactly 16 bytes longer than `plaintext`. It may begin at the very byte where
   * `plaintext` begins (sealing in place), else the two must not overlap. Without it, a new array.
   * @returns `into`, or the new array.
   */
  seal(
    key: Uint8Array,
    nonce: Uint8Array,
    ad: Uint8Array,
    plaintext: Uint8Array,
    into?: Uint8Array,
  ): Uint8Array
  /**
   * Opens what {@link Crypto.seal} made; `undefined` when anything was changed.
   *
   * @param into - Where to write, exactly 16 bytes shorter than `sealed`. It may begin where `sealed` begins, else
   * the two must not overlap. What it holds after a failure means nothing.
   */
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    ad: Uint8Array,
    sealed: Uint8Array,
    into?: Uint8Array,
  ): Uint8Array | undefined
  /** Seals with XChaCha20-Poly1305 (24-byte nonce): ciphertext, then the tag. */
  xseal(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, plaintext: Uint8Array): Uint8Array
  /** Opens what {@link Crypto.xseal} made; `undefined` when anything was changed. */
  xopen(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined
}

/** What {@link Crypto.blake2s} can be asked for besides the plain 32-byte digest. */
export interface Blake2sOptions {
  /** Makes the digest a MAC: the keyed mode of BLAKE2s, 1…32 bytes. */
  readonly key?: Uint8Array
  /** Bytes in the digest, 1…32; 32 when left out. A shorter digest is not a longer one cut. */
  readonly length?: number
}

/** Tells whether two byte strings are equal, in a time that depends on their lengths only. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
  return difference === 0
}
