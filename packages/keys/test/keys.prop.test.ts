import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  formatNodeKey,
  openBox,
  parseNodeKey,
  parsePrivateKey,
  precomputeBox,
  publicKeyOf,
  sealBox,
} from '../src/index.ts'

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })

test('every key reads back as it was written', () => {
  fc.assert(
    fc.property(bytes32, (key) => {
      expect(parseNodeKey(formatNodeKey(key))).toEqual(key)
    }),
  )
})

test('no text makes a reader throw', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      parseNodeKey(text)
      expect(parsePrivateKey(`privkey:${text}`)).toBeUndefined()
    }),
  )
})

test('what one side seals the other opens, and random bytes open for nobody', () => {
  const a = new Uint8Array(32).fill(1)
  const b = new Uint8Array(32).fill(2)
  const key = precomputeBox(a, publicKeyOf(b))
  const same = precomputeBox(b, publicKeyOf(a))
  if (key === undefined || same === undefined) throw new Error('no key')
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 24, maxLength: 24 }),
      fc.uint8Array({ maxLength: 300 }),
      (nonce, message) => {
        expect(openBox(same, nonce, sealBox(key, nonce, message))).toEqual(message)
        expect(openBox(key, nonce, message)).toBeUndefined()
      },
    ),
  )
})
