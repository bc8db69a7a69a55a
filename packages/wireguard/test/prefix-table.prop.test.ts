import { type Prefix, prefixContains } from '@mesh/wire/ip'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PrefixTable } from '../src/index.ts'

const bytes = (length: number) =>
  fc
    .array(fc.constantFrom(0, 1, 128, 255), { minLength: length, maxLength: length })
    .map((list) => Uint8Array.from(list))
const prefixOf = (length: number) =>
  fc.record({ address: bytes(length), bits: fc.integer({ min: 0, max: 8 * length }) })
const anyPrefix = fc.oneof(prefixOf(4), prefixOf(16))
const anyAddress = fc.oneof(bytes(4), bytes(16))

function longest(prefixes: readonly Prefix[], address: Uint8Array): number {
  let found = -1
  for (const [value, prefix] of prefixes.entries()) {
    if (prefixContains(prefix, address) && prefix.bits >= (prefixes[found]?.bits ?? -1)) found = value
  }
  return found
}

test('finds what a scan of all prefixes finds, the last one where two are the same', () => {
  fc.assert(
    fc.property(
      fc.array(anyPrefix, { maxLength: 40 }),
      fc.array(anyAddress, { maxLength: 20 }),
      (prefixes, addresses) => {
        const table = new PrefixTable()
        for (const [value, prefix] of prefixes.entries()) table.insert(prefix, value)
        for (const address of [...addresses, ...prefixes.map((prefix) => prefix.address)]) {
          expect(table.lookup(address, 0, address.length)).toBe(longest(prefixes, address))
        }
      },
    ),
    { numRuns: 300 },
  )
})

test('reads the address where it stands in a packet', () => {
  const table = new PrefixTable()
  table.insert({ address: Uint8Array.of(10, 0, 0, 0), bits: 8 }, 3)
  expect(table.lookup(Uint8Array.of(1, 2, 10, 9, 9, 9), 2, 4)).toBe(3)
  expect(table.lookup(Uint8Array.of(1, 2, 10, 9, 9, 9), 1, 4)).toBe(-1)
})

test('threat 18: an IPv4-mapped IPv6 address is not the IPv4 address', () => {
  const table = new PrefixTable()
  table.insert({ address: Uint8Array.of(10, 0, 0, 1), bits: 32 }, 3)
  const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1)
  expect(table.lookup(mapped, 0, 16)).toBe(-1)
})
