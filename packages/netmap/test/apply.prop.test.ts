// Whatever control sends in whatever order, the map stays in order and agrees with a model that knows no deltas.
import fc from 'fast-check'
import type { MapResponse, Node } from '@mesh/wire/control'
import { expect, test } from 'vitest'
import { applyMapResponse } from '../src/index.ts'
import { ids, NOW, peer, SNAPSHOT, snapshot } from './support.ts'

const id = fc.integer({ min: 8, max: 14 })
const node: fc.Arbitrary<Node> = fc
  .tuple(id, fc.boolean(), fc.integer({ min: 1, max: 3 }))
  .map(([number, online, region]) => peer(number, { Online: online, HomeDERP: region }))

const byNumber = (nodes: readonly Node[]): Node[] => [...new Map(nodes.map((one) => [one.ID, one])).values()]

const message: fc.Arbitrary<MapResponse> = fc.oneof(
  fc.array(node, { minLength: 1 }).map((nodes) => ({ Peers: byNumber(nodes) })),
  fc.record({
    PeersRemoved: fc.array(id, { maxLength: 3 }),
    PeersChanged: fc.array(node, { maxLength: 3 }).map(byNumber),
    PeersChangedPatch: fc.array(fc.record({ NodeID: id, DERPRegion: fc.nat(3), Online: fc.boolean() }), {
      maxLength: 3,
    }),
  }),
)

/** The same rules without sharing, sorting or sparing anything. */
function model(nodes: ReadonlyMap<number, Node>, change: MapResponse): Map<number, Node> {
  if (change.Peers !== undefined) return new Map(change.Peers.map((one) => [one.ID, one]))
  const next = new Map(nodes)
  for (const gone of change.PeersRemoved ?? []) next.delete(gone)
  for (const one of change.PeersChanged ?? []) next.set(one.ID, one)
  for (const patch of change.PeersChangedPatch ?? []) {
    const one = next.get(patch.NodeID)
    if (one === undefined) continue
    next.set(one.ID, { ...one, Online: patch.Online!, HomeDERP: patch.DERPRegion || one.HomeDERP! })
  }
  return next
}

test('any run of messages ends in the peers of the model, and the changes say exactly what differs', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
      let map = snapshot()
      let expected = new Map((SNAPSHOT.Peers ?? []).map((one) => [one.ID, one]))
      for (const change of messages) {
        const before = new Map(map.peers.map((one) => [one.id, one.source]))
        const update = applyMapResponse(map, change, { wallNow: NOW })!
        expected = model(expected, change)
        map = update.map
        const numbers = [...expected.keys()].sort((a, b) => a - b)
        expect(ids(map)).toEqual(numbers)
        expect(map.peers.map((one) => one.source)).toEqual(numbers.map((number) => expected.get(number)))
        expect(update.changes.added).toEqual(numbers.filter((number) => !before.has(number)))
        expect(update.changes.removed).toEqual([...before.keys()].filter((number) => !expected.has(number)))
        const differs = (number: number) =>
          JSON.stringify(before.get(number)) !== JSON.stringify(expected.get(number))
        expect(new Set(update.changes.changed)).toEqual(
          new Set(numbers.filter((number) => before.has(number) && differs(number))),
        )
      }
    }),
  )
})
