// One direction of the control channel after its handshake: a key and a counter that never goes back. Records are
// opened strictly in order; after one that does not open, the direction is dead (control-protocol.md 2.3).
import { type Crypto, NONCE_LENGTH } from './crypto.ts'

const NOTHING = new Uint8Array(0)
/** Where the 8-byte counter stands in the nonce; the four bytes before are zero. */
const COUNTER = 4

/**
 * The order of the counter's bytes in the nonce. Noise says little-endian; the control protocol of Tailscale uses
 * big-endian, and the two agree for the first record only.
 */
export type NonceOrder = 'big-endian' | 'little-endian'

/** Seals or opens the records of one direction. Use one object for one purpose only. */
export class CipherState {
  readonly #crypto: Crypto
  readonly #key: Uint8Array
  readonly #littleEndian: boolean
  readonly #nonce: Uint8Array
  readonly #view: DataView
  #counter: number
  #broken = false

  /**
   * @param key - 32 bytes; copied.
   * @param counter - Number of the first record; 0 but in tests.
   */
  constructor(crypto: Crypto, key: Uint8Array, order: NonceOrder = 'big-endian', counter = 0) {
    this.#crypto = crypto
    this.#key = Uint8Array.from(key)
    this.#littleEndian = order === 'little-endian'
    this.#counter = counter
    this.#nonce = new Uint8Array(NONCE_LENGTH)
    this.#view = new DataView(this.#nonce.buffer)
  }

  /** Number of the next record. */
  get counter(): number {
    return this.#counter
  }

  /** Whether this direction has come to its end: a record did not open, the counter is spent, or it was wiped. */
  get broken(): boolean {
    return this.#broken
  }

  /**
   * Returns the next record: ciphertext, then a 16-byte tag. `undefined` when the direction is broken.
   * The counter stops at 2^53 - 1, far below the protocol's 2^64 - 1 and beyond what a connection can send.
   *
   * @param into - Where to write, as for {@link Crypto.seal}.
   */
  seal(plaintext: Uint8Array, into?: Uint8Array): Uint8Array | undefined {
    if (this.#broken) return undefined
    const sealed = this.#crypto.seal(this.#key, this.#nextNonce(), NOTHING, plaintext, into)
    this.#advance()
    return sealed
  }

  /** Opens the next record. `undefined` when it was changed, lost or replayed; then no later record opens either. */
  open(sealed: Uint8Array): Uint8Array | undefined {
    if (this.#broken) return undefined
    const plaintext = this.#crypto.open(this.#key, this.#nextNonce(), NOTHING, sealed)
    if (plaintext === undefined) this.wipe()
    else this.#advance()
    return plaintext
  }

  /** Overwrites the key. Nothing is sealed or opened after this. */
  wipe(): void {
    this.#broken = true
    this.#key.fill(0)
  }

  #nextNonce(): Uint8Array {
    const high = Math.floor(this.#counter / 0x1_0000_0000)
    const low = this.#counter >>> 0
    this.#view.setUint32(this.#littleEndian ? COUNTER + 4 : COUNTER, high, this.#littleEndian)
    this.#view.setUint32(this.#littleEndian ? COUNTER : COUNTER + 4, low, this.#littleEndian)
    return this.#nonce
  }

  #advance(): void {
    if (this.#counter === Number.MAX_SAFE_INTEGER) return this.wipe()
    this.#counter += 1
  }
}
