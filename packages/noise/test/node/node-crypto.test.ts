import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cryptoContract } from '../../src/contract/index.ts'
import { nobleCrypto } from '../../src/index.ts'
import { nodeCrypto } from '../../src/node/index.ts'
import { wycheproofTests } from '../wycheproof.ts'

describe('nodeCrypto', () => {
  test.each(cryptoContract)('$name', (clause) => {
    expect(() => clause.run(nodeCrypto)).not.toThrow()
  })

  wycheproofTests(nodeCrypto)

  test('gives the same bytes as nobleCrypto for any input', () => {
    const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
    const nonce = fc.uint8Array({ minLength: 12, maxLength: 12 })
    fc.assert(
      fc.property(key, key, nonce, fc.uint8Array({ maxLength: 200 }), (a, b, n, data) => {
        expect(nodeCrypto.x25519(a, b)).toEqual(nobleCrypto.x25519(a, b))
        expect(nodeCrypto.x25519Public(a)).toEqual(nobleCrypto.x25519Public(a))
        expect(nodeCrypto.blake2s(data)).toEqual(nobleCrypto.blake2s(data))
        expect(nodeCrypto.hmac(a, data)).toEqual(nobleCrypto.hmac(a, data))
        expect(nodeCrypto.seal(a, n, b, data)).toEqual(nobleCrypto.seal(a, n, b, data))
      }),
      { numRuns: 30 },
    )
  })
})
