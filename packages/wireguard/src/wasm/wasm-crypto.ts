// The seat of @mesh/noise filled with the same module: one text at a time, through a little memory of its own. It makes a
// handshake's and a portable data plane's AEAD ten times as fast as plain JavaScript without either knowing.
import { type Crypto, KEY_LENGTH, NONCE_LENGTH, TAG_LENGTH } from '@mesh/noise'
import { type AeadExports, instantiate } from './aead-exports.ts'
import { AeadArena } from './arena.ts'
import { failedAnswer } from './self-test.ts'

/** What {@link loadWasmCrypto} found. */
export type WasmCryptoLoad =
  | { readonly kind: 'loaded'; readonly crypto: Crypto }
  | { readonly kind: 'missing'; readonly reason: string }

const MAX_TEXT = 65_535
const MAX_AD = 1024

/**
 * Returns a filling of the crypto seat that seals and opens ChaCha20-Poly1305 in WebAssembly and leaves everything else to
 * `base`, longer texts and associated data than a datagram's included. It never throws: where WebAssembly or its vectors
 * are missing it says so in one clause.
 */
export function loadWasmCrypto(base: Crypto): WasmCryptoLoad {
  try {
    const arena = new AeadArena({ batch: 1, keys: 1, packetBytes: MAX_AD + MAX_TEXT + TAG_LENGTH + 128 })
    const module = instantiate(arena)
    const failed = failedAnswer(arena, module)
    if (failed !== undefined) return { kind: 'missing', reason: `its self-test fails at ${failed}` }
    return { kind: 'loaded', crypto: withWasm(base, arena, module) }
  } catch (error) {
    return { kind: 'missing', reason: error instanceof Error ? error.message : String(error) }
  }
}

function withWasm(base: Crypto, arena: AeadArena, module: AeadExports): Crypto {
  const desk = new Desk(arena)
  return {
    ...base,
    name: `${base.name}+wasm`,
    seal(key, nonce, ad, plaintext, into) {
      const { length } = plaintext
      if (!fits(key, nonce, ad, length)) return base.seal(key, nonce, ad, plaintext, into)
      desk.put(key, nonce, ad, plaintext)
      module.sealOne(desk.text, length, desk.key, desk.nonce, desk.ad, ad.length)
      desk.wipe(0)
      return desk.take(length + TAG_LENGTH, into)
    },
    open(key, nonce, ad, sealed, into) {
      const length = sealed.length - TAG_LENGTH
      if (length < 0) return undefined
      if (!fits(key, nonce, ad, length)) return base.open(key, nonce, ad, sealed, into)
      desk.put(key, nonce, ad, sealed)
      const genuine = module.openOne(desk.text, length, desk.key, desk.nonce, desk.ad, ad.length) === 1
      const opened = genuine ? desk.take(length, into) : undefined
      desk.wipe(sealed.length)
      return opened
    },
  }
}

/** Whether the module can take it; what it cannot is either unusual or a mistake that the other will name. */
function fits(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, length: number): boolean {
  if (key.length !== KEY_LENGTH || nonce.length !== NONCE_LENGTH) return false
  return ad.length <= MAX_AD && length <= MAX_TEXT
}

/** Where one text and all that belongs to it lie in the arena. */
class Desk {
  readonly key: number
  readonly nonce: number
  readonly ad: number
  readonly text: number
  readonly #bytes: Uint8Array<ArrayBuffer>

  constructor(arena: AeadArena) {
    this.key = arena.packets
    this.nonce = this.key + KEY_LENGTH
    this.ad = this.key + 64
    this.text = this.ad + MAX_AD
    this.#bytes = arena.bytes
  }

  put(key: Uint8Array, nonce: Uint8Array, ad: Uint8Array, text: Uint8Array): void {
    this.#bytes.set(key, this.key)
    this.#bytes.set(nonce, this.nonce)
    if (ad.length > 0) this.#bytes.set(ad, this.ad)
    this.#bytes.set(text, this.text)
  }

  /** Copies the first `length` bytes of the text out. */
  take(length: number, into: Uint8Array | undefined): Uint8Array {
    if (into === undefined) return this.#bytes.slice(this.text, this.text + length)
    if (into.length !== length) throw new RangeError(`into: ${into.length} bytes, must be ${length}`)
    into.set(this.#bytes.subarray(this.text, this.text + length))
    return into
  }

  /** Wipes the key and the first `length` bytes of the text. */
  wipe(length: number): void {
    this.#bytes.fill(0, this.key, this.nonce)
    if (length > 0) this.#bytes.fill(0, this.text, this.text + length)
  }
}
