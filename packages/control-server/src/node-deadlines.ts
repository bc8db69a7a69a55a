// What becomes of a node whose time is over: it counts as offline, an ephemeral one is removed, its key has expired. Nothing
// of it is sure when the deadline comes, so each looks first at how the node stands.

import type { MapStreams } from './map-streams.ts'
import type { Network } from './network.ts'
import { isOnline } from './node-view.ts'
import type { CoordinatorOptions } from './options.ts'
import type { Presence } from './presence.ts'

/** What the deadlines of nodes work with. */
export interface NodeDeadlinesOptions extends Pick<CoordinatorOptions, 'server' | 'wallClock'> {
  /** The network whose nodes they are. */
  readonly network: Network
  /** The streams of this server. */
  readonly streams: MapStreams
  /** What falls due, and when. */
  readonly presence: Presence
  /** Takes a node that now counts as offline. */
  readonly onOffline: (node: number) => void
}

/** Does to nodes what is due. */
export class NodeDeadlines {
  readonly #options: NodeDeadlinesOptions

  constructor(options: NodeDeadlinesOptions) {
    this.#options = options
  }

  /** Does what is due at `now`. */
  handleTimeout(now: number): void {
    const { away, back, absent, expiring } = this.#options.presence.due(now)
    for (const [id, grace] of away) this.#goOffline(id, grace)
    for (const id of back) this.#comeBack(id)
    for (const id of absent) this.#removeAbsent(id, now)
    for (const id of expiring) this.#checkExpiry(id, now)
  }

  #goOffline(id: number, grace: number): void {
    const { network, presence, streams, wallClock, onOffline } = this.#options
    const node = network.node(id)
    if (!node || !isOnline(node) || presence.isElsewhere(node) || streams.listens(id)) return
    network.updateNode(id, { connectedTo: undefined, lastSeen: wallClock() - grace })
    onOffline(id)
  }

  /** Another server, to which it was connected too, said that it is offline. */
  #comeBack(id: number): void {
    const { network, server, streams } = this.#options
    const node = network.node(id)
    if (!node || isOnline(node) || !streams.listens(id)) return
    network.updateNode(id, { connectedTo: server })
  }

  #removeAbsent(id: number, now: number): void {
    const { network, presence } = this.#options
    const node = network.node(id)
    if (node?.ephemeral && !isOnline(node)) network.removeNode(id)
    else if (node) presence.look(node, now)
  }

  #checkExpiry(id: number, now: number): void {
    const { network, presence } = this.#options
    const node = network.node(id)
    if (node && presence.isAtHand(node)) network.touch(id)
    if (node) presence.look(node, now)
  }
}
