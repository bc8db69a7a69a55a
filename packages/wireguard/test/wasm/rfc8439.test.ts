// The vectors of RFC 8439, through the module's own functions: WireGuard's nonce alone could not express them.
import { poly1305 } from '@noble/ciphers/_poly1305.js'
import { describe, expect, test } from 'vitest'
import { type AeadExports, instantiate } from '../../src/wasm/aead-exports.ts'
import { AeadArena } from '../../src/wasm/index.ts'
import { bytesOf } from './support.ts'
import vectors from './vectors/rfc8439.json' with { type: 'json' }

const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

const arena = new AeadArena({ batch: 1, keys: 1 })
const module: AeadExports = instantiate(arena)
const KEY = arena.packets
const NONCE = KEY + 32
const AD = NONCE + 16 + 256
const TEXT = AD + 64
const put = (at: number, hex: string): number => {
  arena.bytes.set(bytesOf(hex), at)
  return hex.length / 2
}
const read = (at: number, length: number): string => hexOf(arena.bytes.subarray(at, at + length))

describe('ChaCha20', () => {
  test.each(vectors.blocks)('makes the block of $section, in both forms', ({ key, nonce, block, stream }) => {
    put(KEY, key)
    put(NONCE, nonce)
    module.keyStream(TEXT, KEY, NONCE, block, 0)
    expect(read(TEXT, 64)).toBe(stream)
    module.keyStream(TEXT, KEY, NONCE, block, 1)
    expect(read(TEXT, 64)).toBe(stream)
  })

  test('makes the same blocks in both forms, and from either beginning', () => {
    put(KEY, vectors.blocks[0]?.key ?? '')
    put(NONCE, vectors.blocks[0]?.nonce ?? '')
    module.keyStream(TEXT, KEY, NONCE, 7, 0)
    const four = read(TEXT, 256)
    module.keyStream(TEXT, KEY, NONCE, 7, 1)
    expect(read(TEXT, 128)).toBe(four.slice(0, 256))
    module.keyStream(TEXT, KEY, NONCE, 9, 1)
    expect(read(TEXT, 128)).toBe(four.slice(256))
  })
})

describe('Poly1305', () => {
  test.each(vectors.macs)('makes the tag of $section', ({ key, message, tag }) => {
    put(KEY, key)
    const length = put(TEXT, message)
    module.authenticate(NONCE, TEXT, length, KEY)
    expect(read(NONCE, 16)).toBe(tag)
  })
})

describe('Poly1305 beside the key stream', () => {
  const tagOf = (key: string, message: string, short: number): string => {
    put(KEY, key)
    module.authenticateBeside(NONCE, TEXT, put(TEXT, message) / 16, KEY, short)
    return read(NONCE, 16)
  }
  const whole = vectors.macs.filter(({ message }) => message.length % 32 === 0)

  test.each(whole)('makes the tag of $section, in both forms', ({ key, message, tag }) => {
    expect(tagOf(key, message, 0)).toBe(tag)
    expect(tagOf(key, message, 1)).toBe(tag)
  })

  test('carries right where every limb is as large as it can be, and as small', () => {
    const extremes = ['ff', '00', 'fe', '7f', '80', '01', 'fc', 'fb']
    for (const r of extremes) {
      for (const m of extremes) {
        for (const n of extremes) {
          const key = r.repeat(16) + '00'.repeat(16)
          const message = (m.repeat(16) + n.repeat(16)).repeat(9) + m.repeat(4) + n.repeat(4) + r.repeat(8)
          const tag = hexOf(poly1305(bytesOf(message), bytesOf(key)))
          expect(tagOf(key, message, 0)).toBe(tag)
          expect(tagOf(key, message, 1)).toBe(tag)
        }
      }
    }
  })
})

describe('ChaCha20-Poly1305', () => {
  test.each(vectors.aeads)('seals and opens $section', ({ key, nonce, ad, plaintext, ciphertext, tag }) => {
    put(KEY, key)
    put(NONCE, nonce)
    const adLength = put(AD, ad)
    const length = put(TEXT, plaintext)
    module.sealOne(TEXT, length, KEY, NONCE, AD, adLength)
    expect(read(TEXT, length + 16)).toBe(ciphertext + tag)
    expect(module.openOne(TEXT, length, KEY, NONCE, AD, adLength)).toBe(1)
    expect(read(TEXT, length)).toBe(plaintext)
  })

  test('refuses a text whose associated data was changed', () => {
    const [{ key, nonce, ad, ciphertext, tag }] = vectors.aeads as [(typeof vectors.aeads)[0]]
    put(KEY, key)
    put(NONCE, nonce)
    const adLength = put(AD, ad)
    put(TEXT, ciphertext + tag)
    arena.bytes[AD] = (arena.bytes[AD] ?? 0) ^ 1
    expect(module.openOne(TEXT, ciphertext.length / 2, KEY, NONCE, AD, adLength)).toBe(0)
    expect(read(TEXT, (ciphertext + tag).length / 2)).toBe(ciphertext + tag)
  })
})
