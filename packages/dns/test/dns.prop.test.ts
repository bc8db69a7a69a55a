import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isDnsName, normalizeName, reverseNameOf } from '../src/index.ts'
import { addressOfReverseName } from '../src/names.ts'
import { networkResolver, query } from './support.ts'

const resolver = networkResolver()

test('damaged queries never throw; an answer keeps the id and says that it is one', () => {
  const flips = fc.array(fc.record({ at: fc.nat(), bit: fc.nat(7) }), { maxLength: 6 })
  const name = fc.constantFrom(
    'laptop.tail1234.ts.net',
    '2.0.64.100.in-addr.arpa',
    '10-1-2-3-via-7',
    'example.org',
  )
  const type = fc.constantFrom('A', 'AAAA', 'PTR', 'ANY', 'SOA', 'TXT')
  const damaged = fc.record({ name, type, flips, cut: fc.nat(80) }).map((each) => {
    const bytes = Uint8Array.from(query(each.name, each.type))
    for (const { at, bit } of each.flips)
      bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ (1 << bit)
    return bytes.subarray(0, each.cut > 60 ? bytes.length : each.cut)
  })
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 80 })), (bytes) => {
      const outcome = resolver.handleQuery(bytes)
      if (outcome.kind !== 'answer') return
      expect(outcome.message.subarray(0, 2)).toEqual(Uint8Array.from(bytes.subarray(0, 2)))
      expect((outcome.message[2] ?? 0) & 0x80).toBe(0x80)
    }),
    { numRuns: 2_000 },
  )
})

test('compression pointers that loop are a format error, not a hang', () => {
  const looping = Uint8Array.of(1, 2, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 12, 0, 1, 0, 1)
  const outcome = resolver.handleQuery(looping)
  expect(outcome.kind === 'answer' && (outcome.message[3] ?? 0) & 15).toBe(1)
})

test('the reverse name of an address reads back as the address', () => {
  const address = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  )
  fc.assert(
    fc.property(address, (bytes) => {
      const name = reverseNameOf(bytes)
      expect(isDnsName(name)).toBe(true)
      expect(addressOfReverseName(name)).toEqual(Uint8Array.from(bytes))
    }),
  )
})

test('any text is a name or not without throwing, and no name holds a quote, a space or a control character', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
      expect(!isDnsName(text) || /^[a-z0-9_.-]+$/.test(normalizeName(text))).toBe(true)
    }),
  )
})
