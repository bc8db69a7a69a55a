// The table of sources against a Map, under whatever comes and goes.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { endpointKey } from '../src/endpoint-key.ts'
import type { Hop } from '../src/hop.ts'
import { HopTable, NOTHING } from '../src/hop-table.ts'

/** Few hops, so that they come again, and alike, so that they are confused where anything is forgotten. */
const hops: fc.Arbitrary<Hop> = fc
  .record({
    address: fc.oneof(
      fc.tuple(fc.constantFrom(10, 192), fc.constant(0), fc.constant(0), fc.nat(3)),
      fc.nat(3).map((last) => [10, 0, 0, last, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      fc.nat(3).map((last) => [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]),
    ),
    port: fc.constantFrom(1, 41_641, 65_535),
    vni: fc.option(fc.constantFrom(0, 1, 0xffffff), { nil: undefined }),
    door: fc.option(fc.constantFrom(0, 1, 255), { nil: undefined }),
  })
  .map(({ address, port, vni, door }) => ({
    address: Uint8Array.from(address),
    port,
    ...(vni === undefined ? {} : { vni }),
    ...(door === undefined ? {} : { door }),
  }))

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('set' as const), hop: hops, value: fc.nat(2 ** 31 - 2) }),
    fc.record({ kind: fc.constant('delete' as const), hop: hops, value: fc.constant(0) }),
  ),
  { maxLength: 400 },
)

test('a table of hops holds what a Map holds', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const table = new HopTable()
      const model = new Map<number | string, number>()
      const seen = new Map<number | string, Hop>()
      for (const { kind, hop, value } of all) {
        seen.set(endpointKey(hop), hop)
        if (kind === 'set') {
          table.set(hop, value)
          model.set(endpointKey(hop), value)
        } else {
          table.delete(hop)
          model.delete(endpointKey(hop))
        }
      }
      for (const [key, hop] of seen) expect(table.get(hop)).toBe(model.get(key) ?? NOTHING)
    }),
    { numRuns: 300 },
  )
})

test('thousands of hops are found again, and none of those that were taken out', () => {
  const table = new HopTable()
  const hopOf = (n: number): Hop => ({ address: Uint8Array.of(10, n >> 16, n >> 8, n), port: 41_641 })
  for (let n = 0; n < 5_000; n += 1) table.set(hopOf(n), n)
  for (let n = 0; n < 5_000; n += 2) table.delete(hopOf(n))
  for (let n = 0; n < 5_000; n += 1) expect(table.get(hopOf(n))).toBe(n % 2 === 0 ? NOTHING : n)
})
