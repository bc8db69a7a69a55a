// What a map response does to the peers (control protocol §3.6).
import { formatTime, isZeroKey, type MapResponse, type Node, type PeerChange } from '@mesh/wire/control'
import { isExpired, type MapNode, readNode } from './map-node.ts'
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
  const replaces = response.Peers !== undefined && response.Peers.length > 0
  if (!replaces && !hasPeerChanges(response)) return peers
  const lenders = previous?.peers ?? peers
  const known = new Map(lenders.map((node) => [node.id, node]))
  const sources = new Map(
    (replaces ? response.Peers : peers.map((node) => node.source)).map((one) => [one.ID, one]),
  )
  if (!replaces) applyChanges(sources, response, controlNow)
  const next = [...sources.values()].map((source) => read(source, known.get(source.ID), controlNow))
  return sorted(next, lenders)
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

/** Changes the wire forms in the order the protocol fixes; what becomes of them is read once, at the end. */
function applyChanges(sources: Map<number, Node>, response: MapResponse, controlNow: number): void {
  for (const id of response.PeersRemoved ?? []) sources.delete(id)
  for (const source of response.PeersChanged ?? []) sources.set(source.ID, source)
  for (const [id, seen] of Object.entries(response.PeerSeenChange ?? {})) {
    update(sources, Number(id), (source) => withLastSeen(source, seen ? controlNow : undefined))
  }
  for (const [id, online] of Object.entries(response.OnlineChange ?? {})) {
    update(sources, Number(id), (source) => ({ ...source, Online: online }))
  }
  for (const change of response.PeersChangedPatch ?? []) {
    update(sources, change.NodeID, (source) => patch(source, change))
  }
}

/** Changes one peer; a number nobody has is ignored. */
function update(sources: Map<number, Node>, id: number, change: (source: Node) => Node): void {
  const source = sources.get(id)
  if (source !== undefined) sources.set(id, change(source))
}

function withLastSeen(source: Node, time: number | undefined): Node {
  const { LastSeen: _, ...rest } = source
  return time === undefined ? rest : { ...rest, LastSeen: formatTime(time) }
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

/** Returns the node as it was when the text says the same; field order does not count as a difference worth finding. */
function read(source: Node, previous: MapNode | undefined, controlNow: number): MapNode {
  if (previous === undefined) return readNode(source, controlNow)
  const unchanged = source === previous.source || JSON.stringify(source) === JSON.stringify(previous.source)
  if (unchanged && isExpired(source, previous.keyExpiry, controlNow) === previous.expired) return previous
  return readNode(source, controlNow, previous)
}

function sorted(next: MapNode[], before: readonly MapNode[]): readonly MapNode[] {
  next.sort((a, b) => a.id - b.id)
  const unchanged = next.length === before.length && next.every((node, i) => node === before[i])
  return unchanged ? before : next
}
