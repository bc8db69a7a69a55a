// The last map as text, for a node that starts while control cannot be asked. It is bound to the control server and to
// the node's key: another login, or another server, begins without it.
import { formatNodeKey } from '@mesh/keys'
import { applyMapResponse, expireNodes, type NetworkMap } from '@mesh/netmap'
import { decodeMapResponse, type MapResponse, type Node } from '@mesh/wire/control'

/** Remembers the last map between runs. A seat: a file in the Node shell. */
export interface MapCache {
  /** Returns what was written last, or `undefined` when there is nothing. */
  read(): string | undefined
  /** Replaces the text; `undefined` removes it. */
  write(text: string | undefined): Promise<void>
}

/** Whose map it is. */
export interface MapOwner {
  /** Address of the control server. */
  readonly controlUrl: string
  /** The node's public key, 32 bytes. */
  readonly nodeKey: Uint8Array
}

interface Kept {
  readonly controlUrl: string
  readonly nodeKey: string
  readonly clockOffset: number
  readonly snapshot: unknown
}

/** Returns the map as text: what control would send to describe it from the start. */
export function encodeMap(map: NetworkMap, owner: MapOwner): string {
  const snapshot: MapResponse = {
    Node: map.self.source,
    Peers: map.peers.map((peer) => withoutPresence(peer.source)),
    DNSConfig: map.dns,
    Domain: map.domain,
    PacketFilters: Object.fromEntries(map.packetFilters),
    UserProfiles: [...map.userProfiles.values()],
    ...(map.derpMap ? { DERPMap: map.derpMap } : {}),
    ...(map.sshPolicy ? { SSHPolicy: map.sshPolicy } : {}),
    ...(map.tkaInfo ? { TKAInfo: map.tkaInfo } : {}),
  }
  const { clockOffset } = map
  const kept: Kept = { ...textOf(owner), clockOffset, snapshot }
  return JSON.stringify(kept)
}

/**
 * Returns the map that `text` holds, with the keys that have ended since marked so. `undefined` when it is no map, or
 * another owner's.
 *
 * @param wallNow - This machine's wall clock, milliseconds since 1970.
 */
export function decodeMap(text: string, owner: MapOwner, wallNow: number): NetworkMap | undefined {
  try {
    const { controlUrl, nodeKey, clockOffset, snapshot } = JSON.parse(text) as Kept
    const wanted = textOf(owner)
    if (controlUrl !== wanted.controlUrl || nodeKey !== wanted.nodeKey) return undefined
    // No more is believed of a file than of control.
    const response = decodeMapResponse(snapshot)
    const update = response && applyMapResponse(undefined, response, { wallNow })
    if (!update || !Number.isFinite(clockOffset)) return undefined
    return expireNodes({ ...update.map, clockOffset }, wallNow).map
  } catch {
    return undefined
  }
}

/** Who is online is news of a moment. */
function withoutPresence(source: Node): Node {
  const copy: { -readonly [name in keyof Node]: Node[name] } = { ...source }
  delete copy.Online
  return copy
}

function textOf({ controlUrl, nodeKey }: MapOwner): {
  readonly controlUrl: string
  readonly nodeKey: string
} {
  return { controlUrl, nodeKey: formatNodeKey(nodeKey) }
}
