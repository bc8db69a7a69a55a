// What a map response does to the peers (control protocol §3.6).
import { isZeroKey, type MapResponse, type Node, type PeerChange } from '@mesh/wire/control'
import { type MapNode, readNode } from './map-node.ts'
import type { NetworkMap } from './network-map.ts'

/**
 * Returns the peers after `response`, sorted by number. The same array comes back when nothing about them changed,
 * and the same node when nothing about it did.
 *
 * A list of `Peers` replaces all, and an empty one changes nothing: that is how Go servers write "no list". Nodes of
 * `previous`, the map of an earlier session, lend their parsed values to a first snapshot.
 */
export function applyPeers(
  peers: readonly MapNode[],
  response: MapResponse,
  controlNow: number,
  previous?: NetworkMap,
): readonly MapNode[] {
  const known = new Map((previous?.peers ?? peers).map((node) => [node.id, node]))
  if (response.Peers !== undefined && response.Peers.length > 0) {
    const all = new Map(
      response.Peers.map((source) => [source.ID, read(source, known.get(source.ID), controlNow)]),
    )
    return sorted(all, previous?.peers ?? peers)
  }
  if (!hasPeerChanges(response)) return peers
  const next = new Map(peers.map((node) => [node.id, node]))
  for (const id of response.PeersRemoved ?? []) next.delete(id)
  for (const source of response.PeersChanged ?? []) {
    next.set(source.ID, read(source, next.get(source.ID) ?? known.get(source.ID), controlNow))
  }
  applySeen(next, response.PeerSeenChange, controlNow)
  applyOnline(next, response.OnlineChange, controlNow)
  for (const change of response.PeersChangedPatch ?? []) {
    update(next, change.NodeID, controlNow, (source) => patch(source, change))
  }
  return sorted(next, peers)
}

function hasPeerChanges(response: MapResponse): boolean {
  return (
    response.PeersRemoved !== undefined ||
    response.PeersChanged !== undefined ||
    response.PeersChangedPatch !== undefined ||
    response.PeerSeenChange !== undefined ||
    response.OnlineChange !== undefined
  )
}

function applySeen(
  peers: Map<number, MapNode>,
  change: MapResponse['PeerSeenChange'],
  controlNow: number,
): void {
  for (const [id, seen] of Object.entries(change ?? {})) {
    update(peers, Number(id), controlNow, (source) => {
      const { LastSeen: _, ...rest } = source
      return seen ? { ...rest, LastSeen: new Date(controlNow).toISOString() } : rest
    })
  }
}

function applyOnline(
  peers: Map<number, MapNode>,
  change: MapResponse['OnlineChange'],
  controlNow: number,
): void {
  for (const [id, online] of Object.entries(change ?? {})) {
    update(peers, Number(id), controlNow, (source) => ({ ...source, Online: online }))
  }
}

/** Returns the node after a patch (control protocol §3.6.2): 0 changes nothing, an explicit empty list clears. */
function patch(source: Node, change: PeerChange): Node {
  return {
    ...source,
    ...(change.DERPRegion ? { HomeDERP: change.DERPRegion } : {}),
    ...(change.Cap ? { Cap: change.Cap } : {}),
    ...(change.CapMap === undefined ? {} : { CapMap: change.CapMap }),
    ...(change.Endpoints === undefined ? {} : { Endpoints: change.Endpoints }),
    ...(change.Key === undefined || isZeroKey(change.Key) ? {} : { Key: change.Key }),
    ...(change.KeySignature === undefined ? {} : { KeySignature: change.KeySignature }),
    ...(change.DiscoKey === undefined || isZeroKey(change.DiscoKey) ? {} : { DiscoKey: change.DiscoKey }),
    ...(change.Online === undefined ? {} : { Online: change.Online }),
    ...(change.LastSeen === undefined ? {} : { LastSeen: change.LastSeen }),
    ...(change.KeyExpiry === undefined ? {} : { KeyExpiry: change.KeyExpiry }),
  }
}

/** Changes one peer; a number nobody has is ignored. */
function update(
  peers: Map<number, MapNode>,
  id: number,
  controlNow: number,
  change: (source: Node) => Node,
): void {
  const node = peers.get(id)
  if (node !== undefined) peers.set(id, read(change(node.source), node, controlNow))
}

function read(source: Node, previous: MapNode | undefined, controlNow: number): MapNode {
  const node = readNode(source, controlNow, previous)
  if (previous === undefined || node.expired !== previous.expired) return node
  return JSON.stringify(source) === JSON.stringify(previous.source) ? previous : node
}

function sorted(peers: ReadonlyMap<number, MapNode>, before: readonly MapNode[]): readonly MapNode[] {
  const next = [...peers.values()].sort((a, b) => a.id - b.id)
  const unchanged = next.length === before.length && next.every((node, i) => node === before[i])
  return unchanged ? before : next
}
