import { seededRandom } from '@mesh/sansio'
import { maskPrefix, type Prefix, prefixContains } from '@mesh/wire/ip'
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

test('finds the longest of 100,000 prefixes of both families', () => {
  const random = seededRandom(5)
  const table = new PrefixTable()
  const byLength = new Map<string, number>()
  const keyOf = ({ address, bits }: Prefix): string =>
    `${bits} ${maskPrefix({ address, bits }).address.join('.')}`
  const prefixes = Array.from({ length: 100_000 }, (_, value) => {
    const length = value % 3 === 0 ? 16 : 4
    const address = random(length)
    address[0] = (address[0] ?? 0) & 15 // close together, so that they nest
    const prefix = { address, bits: 8 + ((random(1)[0] ?? 0) % (length * 8 - 7)) }
    table.insert(prefix, value)
    byLength.set(keyOf(prefix), value)
    return prefix
  })
  for (let i = 0; i < 20_000; i += 1) {
    const address = (prefixes[(i * 7_919) % prefixes.length]?.address ?? random(4)).slice()
    if (i % 2 === 0) address[address.length - 1] = i & 255
    let want = -1
    for (let bits = address.length * 8; bits >= 0 && want < 0; bits -= 1)
      want = byLength.get(keyOf({ address, bits })) ?? -1
    expect(table.lookup(address, 0, address.length)).toBe(want)
  }
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
