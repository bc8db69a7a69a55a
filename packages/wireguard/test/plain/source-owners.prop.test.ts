import { type Prefix, maskPrefix, formatPrefix, prefixContains } from '@mesh/wire/ip'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PlanePeer } from '../../src/plane-peer.ts'
import { foreignPrefixes } from '../../src/plain/source-owners.ts'

const bytes = (length: number) =>
  fc.array(fc.constantFrom(0, 1, 128, 255), { minLength: length, maxLength: length })
const prefixOf = (length: number) =>
  fc
    .record({
      address: bytes(length).map((list) => Uint8Array.from(list)),
      bits: fc.integer({ min: 0, max: 8 * length }),
    })
    .map(maskPrefix)
const owned = fc.uniqueArray(
  fc.record({ prefix: fc.oneof(prefixOf(4), prefixOf(16)), peer: fc.integer({ min: 1, max: 4 }) }),
  {
    maxLength: 40,
    selector: ({ prefix }) => formatPrefix(prefix),
  },
)

test('W14 with holes, a peer’s own list says what the longest prefix of all peers says', () => {
  fc.assert(
    fc.property(owned, fc.array(fc.oneof(bytes(4), bytes(16)), { maxLength: 20 }), (list, addresses) => {
      const holes = foreignPrefixes(list)
      const ownerOf = (address: Uint8Array): number => {
        let best: { prefix: Prefix; peer: number } | undefined
        for (const one of list)
          if (prefixContains(one.prefix, address) && one.prefix.bits >= (best?.prefix.bits ?? 0)) best = one
        return best?.peer ?? -1
      }
      for (const id of [1, 2, 3, 4]) {
        const peer = new PlanePeer(id)
        peer.setAllowedIps(
          list.filter((one) => one.peer === id).map(({ prefix }) => prefix),
          holes.get(id),
        )
        for (const one of [
          ...addresses.map((a) => Uint8Array.from(a)),
          ...list.map(({ prefix }) => prefix.address),
        ]) {
          expect(peer.allowedIps.lookup(one, 0, one.length) >= 0).toBe(ownerOf(one) === id)
        }
      }
    }),
  )
})
