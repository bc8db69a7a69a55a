// The numbers by which the data plane knows peers: small, dense, never given twice, and bound to the node key, so
// that a peer with a new key is a new peer below while control goes on calling it by the same number.
import type { MapNode, NetworkMap } from '@mesh/netmap'

/** A peer and its number in the data plane. */
export interface NumberedPeer {
  /** The number in the data plane. */
  readonly peer: number
  /** The peer as the map has it. */
  readonly node: MapNode
}

/** Gives peers their numbers, and finds them by number or key. */
export class PeerTable {
  #next = 0
  #byKey = new Map<string, NumberedPeer>()
  #byPeer = new Map<number, NumberedPeer>()

  /**
   * Takes the peers of a map: who is known keeps the number, who is new gets one. Returns all of them. Of two nodes
   * with one key the first counts: for WireGuard and for relays the key is the peer.
   */
  update(map: NetworkMap): readonly NumberedPeer[] {
    const byKey = new Map<string, NumberedPeer>()
    const byPeer = new Map<number, NumberedPeer>()
    for (const node of map.peers) {
      const key = node.source.Key
      if (byKey.has(key)) continue
      const numbered = { peer: this.#byKey.get(key)?.peer ?? this.#next++, node }
      byKey.set(key, numbered)
      byPeer.set(numbered.peer, numbered)
    }
    this.#byKey = byKey
    this.#byPeer = byPeer
    return [...byPeer.values()]
  }

  /** Returns the peer of that number, or `undefined`. */
  get(peer: number): NumberedPeer | undefined {
    return this.#byPeer.get(peer)
  }

  /** Returns the peer of that node of the map, or `undefined`. */
  of(node: MapNode): NumberedPeer | undefined {
    return this.#byKey.get(node.source.Key)
  }

  /** All peers. */
  all(): IterableIterator<NumberedPeer> {
    return this.#byPeer.values()
  }
}
