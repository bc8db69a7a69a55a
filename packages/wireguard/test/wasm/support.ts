import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import type { AeadArenaOptions, WasmAead } from '../../src/wasm/index.ts'
import { loadWasmAead } from '../../src/wasm/index.ts'

/** The backend over a small arena, or a failed test with the reason. */
export function loaded(options: AeadArenaOptions = { batch: 64, keys: 8 }): WasmAead {
  const load = loadWasmAead(options)
  if (load.kind === 'missing') throw new Error(load.reason)
  return load.aead
}

/** Where the scratch area begins to hold secrets, behind two constant masks. */
export const FIRST_SECRET = 64

/** Bytes that differ from place to place and from seed to seed. */
export function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = (seed * 0x9e3779b1 + 0x7f4a7c15) >>> 0
  for (let i = 0; i < length; i += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

/** The bytes that hexadecimal digits stand for. */
export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16))
}

/** WireGuard's nonce: four zero bytes, then the counter, little-endian. */
export function nonceOf(counterHigh: number, counterLow: number): Uint8Array {
  const nonce = new Uint8Array(12)
  const view = new DataView(nonce.buffer)
  view.setUint32(4, counterLow, true)
  view.setUint32(8, counterHigh, true)
  return nonce
}

/** What noble seals a text to. */
export function sealedByNoble(
  key: Uint8Array,
  counterHigh: number,
  counterLow: number,
  text: Uint8Array,
): Uint8Array {
  return chacha20poly1305(key, nonceOf(counterHigh, counterLow)).encrypt(text)
}

/** Puts a key in and returns its slot. */
export function slotOf(aead: WasmAead, key: Uint8Array): number {
  const slot = aead.arena.keys.put(key)
  if (slot === undefined) throw new Error('no free slot')
  return slot
}

/** Whether the bytes of one array stand anywhere in another. */
export function contains(haystack: Uint8Array, needle: Uint8Array): boolean {
  for (let at = haystack.indexOf(needle[0] ?? 0); at >= 0; at = haystack.indexOf(needle[0] ?? 0, at + 1)) {
    if (needle.every((byte, i) => haystack[at + i] === byte)) return true
  }
  return false
}
