// Whom viewers see, as a list: made once for all of a kind, because when a server starts thousands ask for it at once.

import type { Node, UserProfile } from '@mesh/wire/control'
import type { MapView, PeerView } from './map-views.ts'

/** Whom all of a kind of viewers saw when sessions were last told. */
export class SeenPeers {
  readonly #owners: ReadonlyMap<number, UserProfile>
  readonly #nodes: readonly Node[]

  /** @param shown - Returns a peer as those viewers are to see it. */
  constructor(peers: readonly PeerView[], shown: (peer: PeerView) => Node) {
    this.#nodes = peers.map((peer) => shown(peer))
    this.#owners = new Map(peers.map(({ profile }) => [profile.ID, profile]))
  }

  /** Returns their owners by number, one map for all; for the only one with tags without those whom others take for its owner. */
  ownersFor({ itself, selfProfile }: MapView): ReadonlyMap<number, UserProfile> {
    if (!itself || itself.User === selfProfile.ID) return this.#owners
    const isLone = !this.#nodes.some((node) => node !== itself && node.User === itself.User)
    return isLone ? new Map([...this.#owners].filter(([id]) => id !== itself.User)) : this.#owners
  }

  /** Returns them without the viewer, who is among them where those of its kind see each other. */
  without({ itself }: MapView): readonly Node[] {
    const at = itself ? this.#nodes.indexOf(itself) : -1
    return at === -1 ? this.#nodes : this.#nodes.toSpliced(at, 1)
  }
}
