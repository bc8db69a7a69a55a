import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatHexKey, formatKey, parseHexKey, parseKey } from '../../src/plain/index.ts'

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })

describe('keys in text', () => {
  test('are base64 as Node writes it, and read back', () => {
    fc.assert(
      fc.property(key, (bytes) => {
        expect(formatKey(bytes)).toBe(Buffer.from(bytes).toString('base64'))
        expect(parseKey(formatKey(bytes))).toEqual(bytes)
        expect(parseHexKey(formatHexKey(bytes))).toEqual(bytes)
      }),
    )
  })

  test('of any other length, alphabet or with bits to spare are none', () => {
    const good = formatKey(new Uint8Array(32).fill(7))
    for (const bad of [
      '',
      good.slice(1),
      `${good}=`,
      good.replace('=', 'A'),
      `${good.slice(0, 42)}B=`,
      ` ${good}`,
      `${good}\n`,
    ])
      expect(parseKey(bad)).toBeUndefined()
    for (const bad of ['', '0'.repeat(63), '0'.repeat(65), 'g'.repeat(64)])
      expect(parseHexKey(bad)).toBeUndefined()
  })
})
