// The running hash and chaining key of a Noise handshake (Noise revision 34, section 5.2), with BLAKE2s and
// ChaCha20-Poly1305. Every key made on the way seals exactly one thing, with an all-zero nonce.
import { type Crypto, NONCE_LENGTH } from './crypto.ts'

const NOTHING = new Uint8Array(0)
const ZERO_NONCE = new Uint8Array(NONCE_LENGTH)
const HASH_LENGTH = 32
const encoder = new TextEncoder()

/** Chaining key, hash and current key of one handshake. A clone lets an attempt be tried and thrown away. */
export class SymmetricState {
  readonly #crypto: Crypto
  #hash: Uint8Array
  #chain: Uint8Array
  #key: Uint8Array | undefined

  constructor(crypto: Crypto, hash: Uint8Array, chain: Uint8Array, key?: Uint8Array) {
    this.#crypto = crypto
    this.#hash = hash
    this.#chain = chain
    this.#key = key
  }

  /** Begins with a protocol name and a prologue. */
  static begin(crypto: Crypto, protocol: string, prologue: Uint8Array): SymmetricState {
    const start = initialHash(crypto, protocol)
    const state = new SymmetricState(crypto, start, start)
    state.mixHash(prologue)
    return state
  }

  get hash(): Uint8Array {
    return this.#hash
  }

  clone(): SymmetricState {
    return new SymmetricState(this.#crypto, this.#hash, this.#chain, this.#key)
  }

  mixHash(data: Uint8Array): void {
    this.#hash = this.#crypto.blake2s(concat(this.#hash, data))
  }

  mixKey(input: Uint8Array): void {
    const [chain, key] = this.#expand(input, 2)
    this.#chain = chain
    this.#key = key
  }

  /** Mixes in a pre-shared key, which goes into the hash as well. */
  mixKeyAndHash(input: Uint8Array): void {
    const [chain, extra, key] = this.#expand(input, 3)
    this.#chain = chain
    this.mixHash(extra)
    this.#key = key
  }

  sealAndHash(plaintext: Uint8Array): Uint8Array {
    const sealed = this.#crypto.seal(this.#takeKey(), ZERO_NONCE, this.#hash, plaintext)
    this.mixHash(sealed)
    return sealed
  }

  openAndHash(sealed: Uint8Array): Uint8Array | undefined {
    const plaintext = this.#crypto.open(this.#takeKey(), ZERO_NONCE, this.#hash, sealed)
    if (plaintext !== undefined) this.mixHash(sealed)
    return plaintext
  }

  /** Mixes in a secret made for this handshake alone, and wipes it. */
  mixSecret(secret: Uint8Array): void {
    this.mixKey(secret)
    secret.fill(0)
  }

  /** Ends the handshake: the key from initiator to responder, and the one back. Nothing can follow. */
  split(): [Uint8Array, Uint8Array] {
    const [there, back] = this.#expand(NOTHING, 2)
    this.#chain.fill(0)
    this.#key?.fill(0)
    return [there, back]
  }

  /** HKDF of Noise section 4.3: two or three outputs. */
  #expand(input: Uint8Array, outputs: 2 | 3): [Uint8Array, Uint8Array, Uint8Array] {
    const crypto = this.#crypto
    const secret = crypto.hmac(this.#chain, input)
    const first = crypto.hmac(secret, Uint8Array.of(1))
    const second = crypto.hmac(secret, concat(first, Uint8Array.of(2)))
    const third = outputs === 3 ? crypto.hmac(secret, concat(second, Uint8Array.of(3))) : NOTHING
    secret.fill(0)
    return [first, second, third]
  }

  #takeKey(): Uint8Array {
    if (this.#key === undefined) throw new Error('Noise: nothing can be sealed before a key was mixed in')
    return this.#key
  }
}

function initialHash(crypto: Crypto, protocol: string): Uint8Array {
  const name = encoder.encode(protocol)
  if (name.length > HASH_LENGTH) return crypto.blake2s(name)
  const padded = new Uint8Array(HASH_LENGTH)
  padded.set(name)
  return padded
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}
