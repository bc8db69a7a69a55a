// What a map response does to the peers (control protocol §3.6).
import { formatTime, isZeroKey, type MapResponse, type Node, type PeerChange } from '@mesh/wire/control'
import { findNode, isExpired, type MapNode, readNode } from './map-node.ts'
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
  const edits = replaces ? editsOf(response.Peers) : changesTo(peers, response, controlNow)
  const kept = replaces ? [] : peers
  return merge(kept, edits, lenders, controlNow)
}

/** Peers by number in their new wire form; `undefined` for one that goes. Peers that are not in it stay as they are. */
type Edits = Map<number, Node | undefined>

function editsOf(sources: readonly Node[]): Edits {
  return new Map(sources.map((source) => [source.ID, source]))
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
function changesTo(peers: readonly MapNode[], response: MapResponse, controlNow: number): Edits {
  const edits: Edits = new Map()
  for (const id of response.PeersRemoved ?? []) edits.set(id, undefined)
  for (const source of response.PeersChanged ?? []) edits.set(source.ID, source)
  /** Changes one peer; a number nobody has is ignored. */
  const update = (id: number, change: (source: Node) => Node): void => {
    const source = edits.has(id) ? edits.get(id) : findNode(peers, id)?.source
    if (source !== undefined) edits.set(id, change(source))
  }
  for (const [id, seen] of Object.entries(response.PeerSeenChange ?? {})) {
    update(Number(id), (source) => withLastSeen(source, seen ? controlNow : undefined))
  }
  for (const [id, online] of Object.entries(response.OnlineChange ?? {})) {
    update(Number(id), (source) => ({ ...source, Online: online }))
  }
  for (const change of response.PeersChangedPatch ?? []) {
    update(change.NodeID, (source) => patch(source, change))
  }
  return edits
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

/** Puts the edits into the peers. A patch of one peer among ten thousand costs a copy of the list, no more. */
function merge(
  peers: readonly MapNode[],
  edits: Edits,
  lenders: readonly MapNode[],
  controlNow: number,
): readonly MapNode[] {
  const next: MapNode[] = []
  for (const node of peers) {
    const source = edits.has(node.id) ? edits.get(node.id) : node.source
    if (source !== undefined) next.push(source === node.source ? node : read(source, node, controlNow))
    edits.delete(node.id)
  }
  const kept = next.length
  for (const [id, source] of edits) {
    if (source !== undefined) next.push(read(source, findNode(lenders, id), controlNow))
  }
  if (next.length > kept) next.sort((a, b) => a.id - b.id)
  const unchanged = next.length === lenders.length && next.every((node, i) => node === lenders[i])
  return unchanged ? lenders : next
}
