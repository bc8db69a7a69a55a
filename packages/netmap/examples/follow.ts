import { applyMapResponse, nodeByName } from '@mesh/netmap'
import type { Node } from '@mesh/wire/control'

const node = (id: number, name: string): Node => ({
  ID: id,
  StableID: `n${id}`,
  Name: `${name}.mesh.example.`,
  User: 1,
  Key: `nodekey:${String(id).repeat(64)}`,
  Addresses: [`100.64.0.${id}/32`],
  Online: true,
})

// The first message of a stream is a snapshot; every later one says what changed.
const wallNow = Date.now()
const first = applyMapResponse(undefined, { Node: node(7, 'box7'), Peers: [node(8, 'box8')] }, { wallNow })!
const next = applyMapResponse(
  first.map,
  { PeersChangedPatch: [{ NodeID: 8, Endpoints: ['192.0.2.8:41641'] }] },
  { wallNow },
)!

console.log(nodeByName(next.map, 'box8')?.endpoints[0]?.port) // 41641
console.log(next.changes.paths, next.changes.wireguard) // true false
console.log(nodeByName(first.map, 'box8')?.endpoints.length) // 0
