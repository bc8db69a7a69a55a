// The checksum in vectors against the one of @mesh/wire, over ranges of any length and alignment.
import { internetChecksum, pseudoHeaderSum, sumWords } from '@mesh/wire/ip'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loaded } from './support.ts'

const aead = loaded()
const { bytes, packets } = aead.arena

test('a checksum equals that of @mesh/wire for any range, alignment and initial sum', () => {
  const range = fc.record({
    content: fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ minLength: 1000, maxLength: 1500 }),
      fc.integer({ min: 0, max: 5000 }).map((length) => new Uint8Array(length).fill(0xff)),
      fc.integer({ min: 0, max: 300 }).map((length) => new Uint8Array(length)),
    ),
    shift: fc.integer({ min: 0, max: 33 }),
    initial: fc.integer({ min: 0, max: 0xfffff }),
  })
  fc.assert(
    fc.property(range, ({ content, shift, initial }) => {
      bytes.set(content, packets + shift)
      expect(aead.checksum(packets + shift, content.length, initial)).toBe(
        internetChecksum(content, 0, content.length, initial),
      )
    }),
    { numRuns: 400 },
  )
})

test('sums may be chained: a folded sum counts for as much as the unfolded one', () => {
  const content = Uint8Array.from({ length: 1444 }, (_, i) => i * 31)
  bytes.set(content, packets)
  const head = aead.sumWords(packets, 20)
  expect(head % 0xffff).toBe(sumWords(content, 0, 20) % 0xffff)
  expect(aead.checksum(packets + 20, 1424, head)).toBe(internetChecksum(content))
})

test('the longest super-packet of all ones does not overflow', () => {
  bytes.fill(0xff, packets, packets + 65_535)
  const expected = internetChecksum(bytes, packets, packets + 65_535, 0xffffffff)
  expect(aead.checksum(packets, 65_535, 0xffffffff)).toBe(expected)
})

test('a pseudo header sums to the same, in both versions', () => {
  const address = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
  const header = fc.oneof(fc.tuple(address(4), address(4)), fc.tuple(address(16), address(16)))
  const byte = fc.integer({ min: 0, max: 255 })
  fc.assert(
    fc.property(
      header,
      byte,
      fc.integer({ min: 0, max: 70_000 }),
      ([source, destination], protocol, length) => {
        bytes.set(source, packets)
        bytes.set(destination, packets + source.length)
        const sum = aead.pseudoHeaderSum(packets, source.length === 4 ? 8 : 32, protocol, length)
        const segment = aead.checksum(packets + 64, 0, sum)
        expect(segment).toBe(
          internetChecksum(new Uint8Array(0), 0, 0, pseudoHeaderSum(source, destination, protocol, length)),
        )
      },
    ),
  )
})

test('a range outside the arena is the caller’s mistake', () => {
  expect(() => aead.checksum(bytes.length - 10, 11)).toThrow(RangeError)
  expect(() => aead.sumWords(-1, 4)).toThrow(RangeError)
  expect(() => aead.pseudoHeaderSum(bytes.length - 8, 32, 6, 20)).toThrow(RangeError)
})
