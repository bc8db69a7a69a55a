// Bulk crypto by OpenSSL's public functions: promised to stay, but with more calls out of JavaScript a packet than the inner
// ones, and dearer ones.
import type { Arena, OpenSslEvp } from '@mesh/linux/node'
import { type AeadBackend, FORGED, type PacketTable, REFUSED, type WasmAead } from '../wasm/index.ts'
import { ENTRY_WORDS, SLOT_LIVE, SLOT_STRIDE } from '../wasm/layout.ts'

const TAG = 16
const MAX_TEXT = 65_535
/** Places in the owner's area: a nonce, from the fifth byte on, and a copy of what is being opened. */
const NONCE_ROOM = 64
/** Bytes of the owner's area that it needs. */
export const EVP_SCRATCH = NONCE_ROOM + 65_536

/** Mean length of a batch from which on OpenSSL is faster than WebAssembly, measured on a Xeon with AVX-512. */
const CROSSOVER = 800

/** {@link AeadBackend} by `EVP_chacha20_poly1305`. */
export class EvpAead implements AeadBackend {
  readonly name = 'openssl-evp'
  readonly #wasm: WasmAead
  readonly #native: Arena
  readonly #evp: OpenSslEvp
  readonly #copyAt: number
  readonly #nonceAt: number
  readonly #words: Uint32Array
  readonly #results: Int32Array
  readonly #nonce: Uint32Array
  readonly #scratch: Uint8Array

  constructor(wasm: WasmAead, native: Arena, evp: OpenSslEvp, scratch: number) {
    const { table, memory } = wasm.arena
    this.#wasm = wasm
    this.#native = native
    this.#evp = evp
    this.#nonceAt = scratch + 4
    this.#copyAt = scratch + NONCE_ROOM
    this.#words = new Uint32Array(memory.buffer, table.address, table.capacity * ENTRY_WORDS)
    this.#results = new Int32Array(memory.buffer, table.address, table.capacity * ENTRY_WORDS)
    this.#nonce = new Uint32Array(memory.buffer, scratch, 4)
    this.#scratch = native.bytes.subarray(scratch, scratch + NONCE_ROOM)
  }

  sealBatch(table: PacketTable, count: number): number {
    if (!this.#isWorthIt(count)) return this.#wasm.sealBatch(table, count)
    let done = 0
    for (let i = 0; i < count; i += 1) {
      const entry = i * ENTRY_WORDS
      const at = this.#words[entry] ?? 0
      const length = this.#words[entry + 1] ?? 0
      const key = this.#prepare(entry, at, length)
      this.#results[entry + 5] = key < 0 ? REFUSED : length + TAG
      if (key < 0) continue
      this.#evp.seal(this.#native, at, length, key, this.#nonceAt)
      done += 1
    }
    this.#scratch.fill(0)
    return done
  }

  openBatch(table: PacketTable, count: number): number {
    if (!this.#isWorthIt(count)) return this.#wasm.openBatch(table, count)
    let done = 0
    for (let i = 0; i < count; i += 1) {
      const entry = i * ENTRY_WORDS
      const at = this.#words[entry] ?? 0
      const length = (this.#words[entry + 1] ?? 0) - TAG
      const key = this.#prepare(entry, at, length)
      const genuine = key >= 0 && this.#open(at, length, key)
      this.#results[entry + 5] = key < 0 ? REFUSED : genuine ? length : FORGED
      if (genuine) done += 1
    }
    this.#scratch.fill(0)
    return done
  }

  forget(): void {
    this.#evp.forget()
  }

  /** Whether the packets are long enough; and not so near the memory's end that there is no room behind them. */
  #isWorthIt(count: number): boolean {
    const { table, bytes } = this.#wasm.arena
    if (count > table.capacity) return false // it says what is wrong with that
    let sum = 0
    let end = 0
    for (let i = 0; i < count; i += 1) {
      const at = this.#words[i * ENTRY_WORDS] ?? 0
      const length = this.#words[i * ENTRY_WORDS + 1] ?? 0
      sum += length
      end = Math.max(end, at + length)
    }
    return sum >= count * CROSSOVER && end + TAG <= bytes.length
  }

  /** Checks an entry, lays out its nonce, and returns where its key lies; -1 to refuse it. */
  #prepare(entry: number, at: number, length: number): number {
    const { packets, bytes, keys } = this.#wasm.arena
    if (length < 0 || length > MAX_TEXT || at < packets || at + length + TAG > bytes.length) return -1
    const slot = this.#words[entry + 4] ?? 0
    if (slot >= keys.capacity) return -1
    const key = keys.address + slot * SLOT_STRIDE
    if (bytes[key + SLOT_LIVE] !== 1) return -1
    this.#nonce[1] = 0
    this.#nonce[2] = this.#words[entry + 2] ?? 0
    this.#nonce[3] = this.#words[entry + 3] ?? 0
    return key
  }

  /** It deciphers before it knows: what proves forged gets its bytes back. */
  #open(at: number, length: number, key: number): boolean {
    const { bytes } = this.#native
    bytes.copyWithin(this.#copyAt, at, at + length)
    if (this.#evp.open(this.#native, at, length, key, this.#nonceAt)) return true
    bytes.copyWithin(at, this.#copyAt, this.#copyAt + length)
    return false
  }
}
