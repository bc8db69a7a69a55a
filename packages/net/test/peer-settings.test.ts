// What control grants, in the words of the path finder.
import { applyMapResponse } from '@mesh/netmap'
import type { FilterRule, MapResponse } from '@mesh/wire/control'
import { expect, test } from 'vitest'
import { PeerTable } from '../src/index.ts'
import { magicsockPeer } from '../src/peer-settings.ts'
import { node } from './map-node.ts'

function grant(source: number, capability: string): FilterRule {
  const CapGrant = [{ Dsts: ['100.64.0.1/32'], CapMap: { [capability]: null } }]
  return { SrcIPs: [`100.64.0.${source}/32`], CapGrant }
}

test('D18: who may relay for us, and who may have us relay, is what the filter grants by capability', () => {
  const response: MapResponse = {
    Node: node(1, { Cap: 138 }),
    Peers: [node(2, { Cap: 138 }), node(3, { Cap: 138 }), node(4, { Cap: 120 }), node(5, { Cap: 138 })],
    PacketFilter: [
      grant(2, 'tailscale.com/cap/relay'),
      grant(3, 'tailscale.com/cap/relay-target'),
      grant(4, 'tailscale.com/cap/relay-target'),
    ],
  }
  const { map } = applyMapResponse(undefined, response, { wallNow: 0 })!
  const settings = new PeerTable().update(map).map((numbered) => magicsockPeer(numbered, map))
  expect(
    settings.map((peer) => [peer.mayUseOurRelay, peer.servesAsRelay, peer.understandsPeerRelays]),
  ).toEqual([
    [true, false, true],
    [false, true, true],
    [false, false, false],
    [false, false, true],
  ])
})
