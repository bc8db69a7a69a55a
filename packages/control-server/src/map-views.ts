// What each node should see now, worked out once a change and shared by all who look. A view that comes out the same as
// before is the same object as before, so that sessions tell a change by comparing references.

import { compile } from '@mesh/policy'
import type { CompiledPolicy, Policy } from '@mesh/policy'
import type { DERPMap, DNSConfig, Node, UserProfile } from '@mesh/wire/control'
import { formatTime } from '@mesh/wire/control'
import type { MapView } from './map-session.ts'
import type { Network } from './network.ts'
import { isExpired, ownerProfile, peerNode, selfNode, selfProfile } from './node-view.ts'
import type { NodeRecord } from './records.ts'
import { servableRoutes } from './routes.ts'
import type { NodeRoutes } from './routes.ts'

/** What views are made from. */
export interface MapViewsOptions {
  readonly network: Network
  readonly isOnline: (node: number) => boolean
  readonly routesOf: (node: number) => NodeRoutes
  readonly policy: Policy
  readonly derpMap: DERPMap
  readonly dnsConfig: DNSConfig
  readonly baseDomain: string
  readonly wallClock: () => number
}

interface Cached {
  node: Node
  fresh: boolean
}

/** Makes and keeps the views. */
export class MapViews {
  readonly #options: MapViewsOptions
  readonly #peers = new Map<number, Cached>()
  readonly #selves = new Map<number, Cached>()
  readonly #shapes = new Map<number, string>()
  #policy: CompiledPolicy | undefined

  constructor(options: MapViewsOptions) {
    this.#options = options
  }

  /** Notes nodes that look different now, are new, or are gone. */
  invalidate(changed: ReadonlySet<number>): void {
    for (const id of changed) {
      const node = this.#options.network.node(id)
      this.#stale(this.#peers, id, node)
      this.#stale(this.#selves, id, node)
      this.#notePolicyInput(id, node)
    }
  }

  /** Returns what a node should see. The node must exist. */
  viewFor(id: number): MapView {
    const { network, derpMap, dnsConfig, baseDomain, wallClock } = this.#options
    const record = network.node(id)
    if (!record) throw new RangeError(`id ${id} is no node`)
    const policy = this.#compiled().forNode(id)
    const blind = isExpired(record, wallClock())
    const user = record.user === undefined ? undefined : network.user(record.user)
    return {
      self: this.#look(this.#selves, record, selfNode),
      selfProfile: selfProfile(record, user, baseDomain),
      blind,
      peer: (peer) => (!blind && policy?.sees(peer) ? this.#peer(peer) : undefined),
      ids: () => network.ids(),
      packetFilter: policy?.packetFilter ?? [],
      derpMap,
      dnsConfig,
      domain: baseDomain,
      controlTime: formatTime(wallClock()),
    }
  }

  #peer(id: number): { node: Node; profile: UserProfile } | undefined {
    const { network } = this.#options
    const record = network.node(id)
    if (!record) return undefined
    const user = record.user === undefined ? undefined : network.user(record.user)
    return { node: this.#look(this.#peers, record, peerNode), profile: ownerProfile(record, user) }
  }

  #look(cache: Map<number, Cached>, record: NodeRecord, make: typeof peerNode): Node {
    const cached = cache.get(record.id)
    if (cached?.fresh) return cached.node
    const { baseDomain, isOnline, routesOf, wallClock } = this.#options
    const made = make(record, {
      baseDomain,
      online: isOnline(record.id),
      routes: routesOf(record.id),
      wall: wallClock(),
    })
    const node = cached && JSON.stringify(cached.node) === JSON.stringify(made) ? cached.node : made
    cache.set(record.id, { node, fresh: true })
    return node
  }

  #stale(cache: Map<number, Cached>, id: number, node: NodeRecord | undefined): void {
    const cached = cache.get(id)
    if (cached) cached.fresh = false
    if (!node) cache.delete(id)
  }

  /** The policy is compiled again only when something it looks at changed. */
  #notePolicyInput(id: number, node: NodeRecord | undefined): void {
    const shape = node && JSON.stringify([node.user, node.tags, node.ipv4, node.ipv6, servableRoutes(node)])
    if (this.#shapes.get(id) === shape) return
    if (shape === undefined) this.#shapes.delete(id)
    else this.#shapes.set(id, shape)
    this.#policy = undefined
  }

  #compiled(): CompiledPolicy {
    this.#policy ??= compile(
      this.#options.policy,
      Array.from(this.#options.network.nodes(), (node) => ({
        id: node.id,
        user: node.user,
        tags: node.tags,
        addresses: [node.ipv4, node.ipv6],
        routes: servableRoutes(node),
      })),
    )
    return this.#policy
  }
}
