// Bulk crypto by Node's own OpenSSL over the arena of a WebAssembly backend. Faster than that for whole packets, slower
// for small ones, because each costs a few calls out of JavaScript: so a batch of small packets goes to WebAssembly. What
// is borrowed is not promised to anybody, so it answers known questions before it is trusted.
import { Arena, type OpenSslEvp, type OpenSslRaw, openSslEvp, openSslRaw } from '@mesh/linux/node'
import { ENTRY_WORDS, SLOT_LIVE, SLOT_STRIDE } from '../wasm/layout.ts'
import { type AeadBackend, FORGED, type PacketTable, REFUSED, type WasmAead } from '../wasm/index.ts'
import { passesSelfTest } from './self-test.ts'

const TAG = 16
const BLOCK = 64
/** Bytes behind a text that are borrowed for a moment: padding, the lengths, and what of the tag they do not cover. */
const BEHIND = 32
const MAX_TEXT = 65_535

/** Places in the owner's area of the arena. */
const NONCE = 0
const KEY_BLOCK = 64
const BEFORE_SAVED = 192
const BEHIND_SAVED = 256
const TAG_MADE = 288
/** Bytes of the owner's area that a backend needs, from its beginning on. */
export const OPENSSL_SCRATCH = 320

/**
 * Mean length of a batch from which on OpenSSL is faster than WebAssembly. Measured on a Xeon with AVX-512: its calls cost
 * 720 ns a packet before the first byte and then 0.3 ns a byte, against 280 ns and 0.84 ns.
 */
const CROSSOVER = 800

/** Which backend was chosen, and why none before it. */
export interface ChosenAead {
  /** What seals and opens. */
  readonly backend: AeadBackend
  /** Why faster ones are not used, for a log. */
  readonly missing: readonly string[]
}

/** Returns the fastest backend that this Node has over the arena of `wasm`, which is the last resort. */
export function chooseAead(wasm: WasmAead, scratch: number): ChosenAead {
  const missing: string[] = []
  const native = new Arena(wasm.arena.memory)
  const raw = openSslRaw()
  const evp = openSslEvp()
  const candidates: [string, AeadBackend | undefined][] = [
    [
      'openssl-raw',
      raw && new OpenSslAead('openssl-raw', wasm, native, scratch, new RawCipher(wasm, native, raw, scratch)),
    ],
    [
      'openssl-evp',
      evp && new OpenSslAead('openssl-evp', wasm, native, scratch, new EvpCipher(wasm, native, evp, scratch)),
    ],
  ]
  for (const [name, backend] of candidates) {
    if (backend === undefined) missing.push(`${name}: this Node does not show it`)
    else if (passesSelfTest(wasm, backend)) return { backend, missing }
    else missing.push(`${name}: it fails its self-test`)
  }
  return { backend: wasm, missing }
}

/** One packet at a time; the nonce lies ready. */
interface Cipher {
  seal(at: number, length: number, key: number): void
  open(at: number, length: number, key: number): boolean
}

/** {@link AeadBackend} by calls of OpenSSL. */
class OpenSslAead implements AeadBackend {
  readonly name: string
  readonly #wasm: WasmAead
  readonly #cipher: Cipher
  readonly #words: Uint32Array
  readonly #results: Int32Array
  readonly #nonce: Uint32Array
  readonly #scratch: Uint8Array

  constructor(name: string, wasm: WasmAead, native: Arena, scratch: number, cipher: Cipher) {
    const { table, memory } = wasm.arena
    this.name = name
    this.#wasm = wasm
    this.#cipher = cipher
    this.#words = new Uint32Array(memory.buffer, table.address, table.capacity * ENTRY_WORDS)
    this.#results = new Int32Array(memory.buffer, table.address, table.capacity * ENTRY_WORDS)
    this.#nonce = new Uint32Array(memory.buffer, scratch + NONCE, 4)
    this.#scratch = native.bytes.subarray(scratch, scratch + OPENSSL_SCRATCH)
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
      this.#cipher.seal(at, length, key)
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
      const genuine = key >= 0 && this.#cipher.open(at, length, key)
      this.#results[entry + 5] = key < 0 ? REFUSED : genuine ? length : FORGED
      if (genuine) done += 1
    }
    this.#scratch.fill(0)
    return done
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
    return sum >= count * CROSSOVER && end + BEHIND + TAG <= bytes.length
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
}

/** OpenSSL's inner functions: the fewest calls, but the two halves must be put together here (RFC 8439 section 2.8). */
class RawCipher implements Cipher {
  readonly #wasm: WasmAead
  readonly #native: Arena
  readonly #raw: OpenSslRaw
  readonly #view: DataView
  readonly #block: Uint32Array
  readonly #at: number

  constructor(wasm: WasmAead, native: Arena, raw: OpenSslRaw, scratch: number) {
    this.#wasm = wasm
    this.#native = native
    this.#raw = raw
    this.#view = new DataView(wasm.arena.memory.buffer)
    this.#block = new Uint32Array(wasm.arena.memory.buffer, scratch + NONCE, 1)
    this.#at = scratch
  }

  /** One stretch of key stream: its first block falls on the 64 bytes before the text, which are put back. */
  seal(at: number, length: number, key: number): void {
    const before = at - BLOCK
    const saved = this.#at + BEFORE_SAVED
    move(this.#view, before, saved, BLOCK)
    clear(this.#view, before, BLOCK)
    this.#block[0] = 0
    this.#raw.chacha20(this.#native, before, BLOCK + length, key, this.#at + NONCE)
    this.#authenticate(at, length, before)
    move(this.#view, saved, before, BLOCK)
    move(this.#view, this.#at + TAG_MADE, at + length, TAG)
  }

  open(at: number, length: number, key: number): boolean {
    const keyBlock = this.#at + KEY_BLOCK
    // For two blocks WebAssembly is quicker than a call out of JavaScript.
    this.#wasm.keyStream(keyBlock, key, this.#at + NONCE + 4)
    this.#authenticate(at, length, keyBlock)
    if (!this.#tagsEqual(at + length)) return false
    this.#block[0] = 1
    if (length > 0) this.#raw.chacha20(this.#native, at, length, key, this.#at + NONCE)
    return true
  }

  /** Makes the tag of a sealed text. Padding and lengths go behind it for a moment, over what is then put back. */
  #authenticate(at: number, length: number, oneTimeKey: number): void {
    const view = this.#view
    const end = at + length
    const saved = this.#at + BEHIND_SAVED
    const lengths = at + ((length + 15) & ~15)
    move(view, end, saved, BEHIND)
    clear(view, end, BEHIND)
    view.setUint32(lengths + 8, length, true)
    this.#raw.poly1305(this.#native, at, lengths + 16 - at, oneTimeKey, this.#at + TAG_MADE)
    move(view, saved, end, BEHIND)
  }

  /** In the same time wherever they differ. */
  #tagsEqual(at: number): boolean {
    const view = this.#view
    const made = this.#at + TAG_MADE
    let difference = 0
    for (let i = 0; i < TAG; i += 4) difference |= view.getUint32(at + i) ^ view.getUint32(made + i)
    return difference === 0
  }
}

/** Copies whole words that do not overlap. For a few of them this takes a fraction of what `copyWithin` does. */
function move(view: DataView, from: number, to: number, length: number): void {
  for (let i = 0; i < length; i += 4) view.setUint32(to + i, view.getUint32(from + i))
}

/** Writes zeros over whole words. */
function clear(view: DataView, at: number, length: number): void {
  for (let i = 0; i < length; i += 4) view.setUint32(at + i, 0)
}

/** OpenSSL's public functions. */
class EvpCipher implements Cipher {
  readonly #native: Arena
  readonly #evp: OpenSslEvp
  readonly #bytes: Uint8Array
  readonly #copy = new Uint8Array(MAX_TEXT)
  readonly #nonce: number

  constructor(_wasm: WasmAead, native: Arena, evp: OpenSslEvp, scratch: number) {
    this.#native = native
    this.#evp = evp
    this.#bytes = native.bytes
    this.#nonce = scratch + NONCE + 4
  }

  seal(at: number, length: number, key: number): void {
    this.#evp.seal(this.#native, at, length, key, this.#nonce)
  }

  /** It deciphers before it knows: what proves forged gets its bytes back. */
  open(at: number, length: number, key: number): boolean {
    this.#copy.set(this.#bytes.subarray(at, at + length))
    if (this.#evp.open(this.#native, at, length, key, this.#nonce)) return true
    this.#bytes.set(this.#copy.subarray(0, length), at)
    return false
  }
}
