import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeBase64 } from '../src/base64.ts'

test('base64 is read as Node writes it', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(decodeBase64(Buffer.from(bytes).toString('base64'))).toEqual(bytes)
    }),
  )
})

test('what is not padded standard base64 is nothing', () => {
  for (const text of ['a', 'ab', 'abc', 'ab-_', 'ab==c', 'a===', 'ab c', 'abcd=']) {
    expect(decodeBase64(text)).toBeUndefined()
  }
})
