// The crypto seat of @mesh/noise, filled by the module, and the portable data plane over it.
import { type Crypto, nobleCrypto } from '@mesh/noise'
import { cryptoContract } from '@mesh/noise/contract'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { dataPlaneContract } from '../../src/contract/index.ts'
import { PortableDataPlane } from '../../src/index.ts'
import { loadWasmCrypto } from '../../src/wasm/index.ts'
import { bytesOf, noise } from './support.ts'
import wycheproof from './vectors/wycheproof-chacha20-poly1305.json' with { type: 'json' }

function loadedCrypto(): Crypto {
  const load = loadWasmCrypto(nobleCrypto)
  if (load.kind === 'missing') throw new Error(load.reason)
  return load.crypto
}
const crypto = loadedCrypto()

type WycheproofVector = [number, string, string, string, string, string, boolean]

afterEach(() => {
  vi.unstubAllGlobals()
})

describe('a crypto seat filled by WebAssembly', () => {
  test.each(cryptoContract)('$name', (clause) => {
    expect(() => clause.run(crypto)).not.toThrow()
  })

  test('seals and opens what noble does, with associated data and any nonce', () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    const texts = fc.uint8Array({ maxLength: 2000 })
    fc.assert(
      fc.property(bytes(32), bytes(12), fc.uint8Array({ maxLength: 1100 }), texts, (key, nonce, ad, text) => {
        const sealed = crypto.seal(key, nonce, ad, text)
        expect(sealed).toEqual(nobleCrypto.seal(key, nonce, ad, text))
        expect(crypto.open(key, nonce, ad, sealed)).toEqual(text)
      }),
    )
  })

  test('seals and opens as Wycheproof says, and refuses what it calls invalid', () => {
    for (const vector of wycheproof.vectors) {
      const [, key, nonce, ad, plaintext, sealed, valid] = vector as WycheproofVector
      const seat = [bytesOf(key), bytesOf(nonce), bytesOf(ad)] as const
      expect(crypto.open(...seat, bytesOf(sealed))).toEqual(valid ? bytesOf(plaintext) : undefined)
      const again = crypto.seal(...seat, bytesOf(plaintext))
      expect(again.every((byte, i) => byte === bytesOf(sealed)[i])).toBe(valid)
    }
  })

  test('leaves texts that no datagram can hold to the other', () => {
    const key = noise(32, 1)
    const nonce = noise(12, 2)
    const nothing = new Uint8Array(0)
    for (const length of [65_535, 65_536, 100_000]) {
      const text = noise(length, 3)
      const sealed = crypto.seal(key, nonce, nothing, text)
      expect(sealed).toEqual(nobleCrypto.seal(key, nonce, nothing, text))
      expect(crypto.open(key, nonce, nothing, sealed)).toEqual(text)
    }
  })

  test('names both who fill it', () => {
    expect(crypto.name).toBe('noble+wasm')
  })

  test('says so where there is no WebAssembly', () => {
    vi.stubGlobal('WebAssembly', undefined)
    expect(loadWasmCrypto(nobleCrypto)).toEqual({
      kind: 'missing',
      reason: 'this runtime has no WebAssembly',
    })
  })
})

describe('a portable data plane over it', () => {
  test.each(dataPlaneContract)('$name', (clause) => {
    expect(() => clause.run((outputs) => new PortableDataPlane(outputs, { crypto }))).not.toThrow()
  })
})
