// A small network for tests to change.
import type { MapResponse, Node } from '@mesh/wire/control'
import { applyMapResponse, type MapUpdate, type NetworkMap } from '../src/index.ts'

/** Wall time of the tests. */
export const NOW = Date.UTC(2026, 0, 2, 3, 5, 0)

/** Returns a key's text made of one byte. */
export const nodeKey = (byte: number) => `nodekey:${byte.toString(16).padStart(2, '0').repeat(32)}` as const
export const discoKey = (byte: number) => `discokey:${byte.toString(16).padStart(2, '0').repeat(32)}` as const

/** Returns a peer numbered `id`, with address 100.64.0.id. */
export function peer(id: number, more: Partial<Node> = {}): Node {
  return {
    ID: id,
    StableID: `n${id}`,
    Name: `box${id}.mesh.example.`,
    User: 3,
    Key: nodeKey(id),
    DiscoKey: discoKey(id),
    Addresses: [`100.64.0.${id}/32`, `fd7a:115c:a1e0::${id.toString(16)}/128`],
    Endpoints: [`192.0.2.${id}:41641`],
    HomeDERP: 900,
    Online: true,
    ...more,
  }
}

/** A whole first message: this node is 7, its peers 8 and 9. */
export const SNAPSHOT: MapResponse = {
  Node: peer(7, { MachineAuthorized: true }),
  Peers: [peer(9), peer(8)],
  DERPMap: {
    Regions: {
      900: { RegionID: 900, RegionCode: 'me', RegionName: 'Mine', Nodes: [] },
      901: { RegionID: 901, RegionCode: 'you', RegionName: 'Yours', Nodes: [] },
    },
  },
  DNSConfig: { Domains: ['mesh.example'], Proxied: true },
  Domain: 'mesh.example',
  PacketFilters: { base: [{ SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65535 } }] }] },
  UserProfiles: [{ ID: 3, LoginName: 'ann@example.org', DisplayName: 'Ann' }],
}

/** Returns the map after the snapshot. */
export function snapshot(change: Partial<MapResponse> = {}): NetworkMap {
  return applyMapResponse(undefined, { ...SNAPSHOT, ...change }, { wallNow: NOW })!.map
}

/** Returns what a message makes of a map. */
export function apply(map: NetworkMap, response: MapResponse, wallNow = NOW): MapUpdate {
  return applyMapResponse(map, response, { wallNow })!
}

/** The ids of the peers, in order. */
export function ids(map: NetworkMap): number[] {
  return map.peers.map((node) => node.id)
}
