// Keys in text: base64 in `wg` and its files, hexadecimal in the UAPI.
import { decodeBase64 } from '../wasm/base64.ts'

/** 32 bytes are 43 digits, the last of which has two bits to spare, and one sign to fill up. */
const BASE64_KEY = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/
const HEX_KEY = /^[0-9a-fA-F]{64}$/
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Reads a key as `wg` writes it, 44 characters of base64, or returns `undefined`. */
export function parseKey(text: string): Uint8Array | undefined {
  return BASE64_KEY.test(text) ? decodeBase64(text) : undefined
}

/** Returns a key of 32 bytes as `wg` writes it. */
export function formatKey(key: Uint8Array): string {
  let text = ''
  let held = 0
  let bits = 0
  for (const byte of key) {
    held = ((held << 8) | byte) & 0xffff
    for (bits += 8; bits >= 6; bits -= 6) text += DIGITS[(held >> (bits - 6)) & 63] ?? ''
  }
  return `${text}${DIGITS[(held << (6 - bits)) & 63] ?? ''}=`
}

/** Returns a text that may be shown: what may be a key in it, wherever it strayed to, is named and not said. */
export function withoutKeys(text: string): string {
  return text.replace(/[A-Za-z0-9+/]{42,}=?/g, '(a key)')
}

/** Reads a key as the UAPI writes it, 64 hexadecimal digits, or returns `undefined`. */
export function parseHexKey(text: string): Uint8Array | undefined {
  if (!HEX_KEY.test(text)) return undefined
  return Uint8Array.from({ length: 32 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}

/** Returns a key as the UAPI writes it. */
export function formatHexKey(key: Uint8Array): string {
  return Array.from(key, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
