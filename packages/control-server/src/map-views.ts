// What each node should see, worked out once a change and shared by all who look. There are two moments: the world as
// the sessions were told it, and the world as it is; advancing goes from the one to the other and says what differs.
// Because all sessions are told together, what a session was told needs no memory of its own: a network of n nodes takes
// n views, not n². Whether one node sees another depends on these two alone, so a change is looked at only for pairs
// that it is part of.

import type { CompiledPolicy, NodePolicy, Policy } from '@mesh/policy'
import type {
  ClientVersion,
  ControlDialPlan,
  DERPMap,
  DNSConfig,
  Node,
  PeerChange,
  SSHPolicy,
  UserProfile,
} from '@mesh/wire/control'
import { formatTime } from '@mesh/wire/control'
import { Likeness } from './alike.ts'
import type { ClientRelease } from './client-notices.ts'
import { clientVersion } from './client-notices.ts'
import type { DisplayMessages } from './display-messages.ts'
import { displayMessages } from './display-messages.ts'
import type { Network } from './network.ts'
import { isExpired, ownerProfile, patchBetween, peerNode, selfNode, selfProfile } from './node-view.ts'
import { Batch } from './peers-part.ts'
import type { Policies } from './policies.ts'
import type { NodeRecord, UserRecord } from './records.ts'
import { RoutedNodes } from './routed-nodes.ts'
import { routesOf, servableRoutes } from './routes.ts'
import { SeenPeers } from './seen-peers.ts'

/** What views are made from. */
export interface MapViewsOptions {
  readonly network: Network
  readonly policies: Policies
  readonly derpMap: DERPMap
  readonly dnsConfig: DNSConfig
  readonly baseDomain: string
  readonly wallClock: () => number
  /** Whether nodes may have certificates for their names. */
  readonly certificates: boolean
  readonly clientRelease?: ClientRelease
  readonly dialPlan?: ControlDialPlan
}

/** A node as its peers see it. Equal content is the same object. */
export interface PeerView {
  readonly node: Node
  readonly profile: UserProfile
}

/** How one node's look changed between the two moments. */
export interface PeerUpdate {
  readonly id: number
  readonly before: PeerView | undefined
  readonly after: PeerView | undefined
  /** The difference when a patch can say it; without fields when only the owner's profile changed. */
  readonly patch: PeerChange | undefined
}

/** What one node sees, now and when it was last told. */
export interface MapView {
  /** Its number. */
  readonly id: number
  /** The kind of viewer it is and was: those of a kind are told the same of others, see {@link NodePolicy.kind}. */
  readonly kind: string | number
  /** The node itself. Equal content is the same object. */
  readonly self: Node
  /** The node as others of its kind saw it when sessions were last told. */
  readonly itself: Node | undefined
  /** The profile of its owner. */
  readonly selfProfile: UserProfile
  /** Whether it sees no peers at all, because its own key has expired. */
  readonly blind: boolean
  /** Whether every pair with this node must be looked at, because it is judged by something else now. */
  readonly reshaped: boolean
  /** Tells whether it may see a node that is there now. */
  sees(id: number): boolean
  /** Tells whether it could see a node when sessions were last told. */
  saw(id: number): boolean
  /** Returns a peer as it is to see it now: with those routes alone that it has a use for. */
  shows(peer: PeerView): Node
  /** Returns a peer as it was to see it when sessions were last told. */
  showed(peer: PeerView): Node
  /** The rules it enforces. */
  readonly packetFilter: NodePolicy['packetFilter']
  /** What its SSH server goes by. */
  readonly sshPolicy: SSHPolicy
  /** What its person should know. */
  readonly displayMessages: DisplayMessages
  /** What its client is told of newer versions. */
  readonly clientVersion: ClientVersion | undefined
  /** By which addresses the server is reached. */
  readonly dialPlan: ControlDialPlan | undefined
  /** The relays. */
  readonly derpMap: DERPMap
  /** How it resolves names. */
  readonly dnsConfig: DNSConfig
  /** The network's name. */
  readonly domain: string
  /** The wall clock as a Go time. */
  readonly controlTime: string
}

/** Of a node that is judged by nothing. */
const NO_KIND = -1
/** So many kinds of viewers are remembered with whom they see. */
const MAX_KINDS = 4096

/** Lets clients ask for certificates, beside the names in their DNS (control §4.13). */
const HTTPS = { https: [] } as const

/** Makes and keeps the views. */
export class MapViews {
  readonly #options: MapViewsOptions
  readonly #told = new Map<number, PeerView>()
  readonly #changed = new Set<number>()
  readonly #routed = new RoutedNodes()
  readonly #selves = new Map<number, Node>()
  readonly #staleSelves = new Set<number>()
  readonly #profiles = new Map<number | undefined, UserProfile>()
  readonly #shapes = new Map<number, string>()
  readonly #filters = new Map<number, NodePolicy['packetFilter']>()
  readonly #ssh = new Map<number, SSHPolicy>()
  readonly #dnsConfigs = new Map<number, DNSConfig>()
  readonly #messages = new Map<number, DisplayMessages>()
  readonly #likeness = new Likeness()
  readonly #seen = new Map<number, SeenPeers>()
  #reshaped = new Set<number>()
  #judgedBy: Policy | undefined
  #policy: CompiledPolicy | undefined
  #toldPolicy: CompiledPolicy | undefined

  constructor(options: MapViewsOptions) {
    this.#options = options
  }

  /** The world as it was told: the nodes as their peers see them. */
  get told(): ReadonlyMap<number, PeerView> {
    return this.#told
  }

  /** Notes nodes that look different now, are new, or are gone. */
  noteChanged(changed: Iterable<number>): void {
    for (const id of changed) {
      this.#changed.add(id)
      this.#staleSelves.add(id)
      this.#notePolicyInput(id)
    }
  }

  /** Goes from the world as it was told to the world as it is. Returns what differs. */
  advance(): Batch {
    const updates: PeerUpdate[] = []
    const touched = new Set(this.#changed)
    for (const id of this.#changed) {
      const before = this.#told.get(id)
      const after = this.#look(id, before)
      if (after) this.#told.set(id, after)
      else this.#told.delete(id)
      if (!after) this.#forget(id)
      // One that looks the same may be seen by others now: it was approved.
      if (before === after && !(after && this.#reshaped.has(id))) continue
      updates.push({ id, before, after, patch: before && after && patchBetween(before.node, after.node) })
    }
    this.#changed.clear()
    const judgedAnew = this.#isJudgedAnew()
    if (updates.length > 0 || judgedAnew) this.#seen.clear()
    return new Batch(updates, touched, judgedAnew)
  }

  /** Notes that every session was told of the last advance. */
  settle(): void {
    this.#toldPolicy = this.#compiled()
    if (this.#reshaped.size > 0) this.#reshaped = new Set()
  }

  /** Tells whether a node was there when sessions were last told. */
  knows(id: number): boolean {
    return this.#toldPolicy?.forNode(id) !== undefined
  }

  /** Returns the kind of viewer that a node is, where nobody was judged anew since sessions were last told. */
  kindOf(id: number): number {
    return this.#toldPolicy?.forNode(id)?.kind ?? NO_KIND
  }

  /** Returns whom a node saw, and itself where others of its kind did, when sessions were last told. */
  seenBy(id: number): SeenPeers {
    const policy = this.#toldPolicy?.forNode(id)
    const kind = this.kindOf(id)
    const known = this.#seen.get(kind)
    if (known) return known
    const peers: PeerView[] = []
    for (const [peer, view] of this.#told)
      if (peer === id ? policy?.seesAlike : policy?.sees(peer)) peers.push(view)
    const seen = new SeenPeers(peers, ({ node }) => this.#routed.shown(node, policy))
    if (this.#seen.size >= MAX_KINDS) this.#seen.clear()
    this.#seen.set(kind, seen)
    return seen
  }

  /** Returns the wall clock as a Go time. */
  readonly controlTime = (): string => formatTime(this.#options.wallClock())

  /** Returns what the policy means for a node now. */
  policyOf(id: number): NodePolicy | undefined {
    return this.#compiled().forNode(id)
  }

  /** Returns what a node sees. The node must exist. */
  viewFor(id: number): MapView {
    const { network, derpMap, dnsConfig, baseDomain, wallClock, clientRelease, dialPlan, certificates } =
      this.#options
    const record = network.node(id)
    if (!record) throw new RangeError(`id ${id} is no node`)
    const policy = this.#compiled().forNode(id)
    const toldPolicy = this.#toldPolicy?.forNode(id)
    const itself = this.#told.get(id)?.node
    return {
      id,
      kind: this.#isJudgedAnew() ? `${this.kindOf(id)} ${policy?.kind}` : this.kindOf(id),
      itself: itself && this.#routed.shown(itself, toldPolicy),
      self: this.#self(record, policy),
      selfProfile: selfProfile(record, network.user(record.user), baseDomain),
      blind: isExpired(record, wallClock()),
      reshaped: this.#reshaped.has(id),
      sees: (peer) => policy?.sees(peer) ?? false,
      saw: (peer) => toldPolicy?.sees(peer) ?? false,
      shows: (peer) => this.#routed.shown(peer.node, policy),
      showed: (peer) => this.#routed.shown(peer.node, toldPolicy),
      packetFilter: this.#kept(this.#filters, id, policy?.packetFilter ?? []),
      sshPolicy: this.#kept(this.#ssh, id, policy?.sshPolicy ?? { rules: [] }),
      displayMessages: this.#kept(this.#messages, id, displayMessages(record, wallClock())),
      clientVersion: clientVersion(clientRelease, record.hostinfo.IPNVersion),
      dialPlan,
      derpMap,
      dnsConfig: certificates ? this.#withDomain(record) : dnsConfig,
      domain: baseDomain,
      get controlTime() {
        return formatTime(wallClock())
      },
    }
  }

  #look(id: number, before: PeerView | undefined): PeerView | undefined {
    const { network, baseDomain, wallClock } = this.#options
    const record = network.node(id)
    if (!record) return undefined
    const made = peerNode(record, { baseDomain, routes: routesOf(record), wall: wallClock() })
    const node = before ? this.#sameOr(before.node, made) : made
    const profile = this.#profile(record.user, network.user(record.user), record)
    return before?.node === node && before.profile === profile ? before : { node, profile }
  }

  /** Each node may have certificates for its own name alone. */
  #withDomain({ id, givenName }: NodeRecord): DNSConfig {
    const { dnsConfig, baseDomain } = this.#options
    const name = `${givenName}.${baseDomain}`
    const before = this.#dnsConfigs.get(id)
    if (before?.CertDomains?.[0] === name) return before
    const made = { ...dnsConfig, CertDomains: [name] }
    this.#dnsConfigs.set(id, made)
    return made
  }

  #forget(id: number): void {
    for (const all of [this.#selves, this.#filters, this.#ssh, this.#messages, this.#dnsConfigs])
      all.delete(id)
  }

  #self(record: NodeRecord, policy: NodePolicy | undefined): Node {
    const { baseDomain, wallClock, certificates } = this.#options
    const before = this.#selves.get(record.id)
    if (before && !this.#staleSelves.delete(record.id)) return before
    const context = { baseDomain, routes: routesOf(record), wall: wallClock() }
    const attributes = { ...(certificates ? HTTPS : {}), ...policy?.attributes }
    const made = selfNode(record, context, attributes)
    const self = before ? this.#sameOr(before, made) : made
    this.#selves.set(record.id, self)
    return self
  }

  #profile(id: number | undefined, user: UserRecord | undefined, record: NodeRecord): UserProfile {
    const made = ownerProfile(record, user)
    const known = this.#profiles.get(id)
    if (known?.LoginName === made.LoginName && known.DisplayName === made.DisplayName) return known
    this.#profiles.set(id, made)
    return made
  }

  /** The policy is compiled again only when something it looks at changed. */
  #notePolicyInput(id: number): void {
    const { network, policies } = this.#options
    if (this.#judgedBy !== policies.current) {
      this.#judgedBy = policies.current
      this.#shapes.clear()
      this.#policy = undefined
    }
    const node = network.node(id)
    const shape =
      node &&
      JSON.stringify([
        node.user,
        network.user(node.user)?.name,
        node.tags,
        node.approved,
        node.ipv4,
        node.ipv6,
        servableRoutes(node),
        policies.postureOf(node),
      ])
    if (this.#shapes.get(id) === shape) return
    if (shape === undefined) this.#shapes.delete(id)
    else this.#shapes.set(id, shape)
    this.#reshaped.add(id)
    this.#policy = undefined
  }

  /** Equal content is the same object, however often the policy is compiled anew. */
  #kept<T extends object>(all: Map<number, T>, id: number, made: T): T {
    const before = all.get(id)
    const value = before === undefined ? made : this.#sameOr(before, made)
    if (value !== before) all.set(id, value)
    return value
  }

  #sameOr<T extends object>(before: T, made: T): T {
    return this.#likeness.is(before, made) ? before : made
  }

  #isJudgedAnew(): boolean {
    return this.#toldPolicy !== this.#compiled()
  }

  #compiled(): CompiledPolicy {
    this.#policy ??= this.#options.policies.compile()
    return this.#policy
  }
}
