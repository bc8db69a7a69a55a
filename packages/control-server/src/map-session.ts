// One open map stream: what of the world as it was told this viewer could see, and so what it still has to be told. A
// change becomes a removal, a whole node or a patch. Nothing is told twice, and a peer that was never shown is never
// mentioned (control §3.6.8).

import type {
  DERPMap,
  DNSConfig,
  FilterRule,
  MapResponse,
  Node,
  PeerChange,
  SSHPolicy,
  UserProfile,
} from '@mesh/wire/control'
import type { DisplayMessages } from './display-messages.ts'
import type { MapView, PeerUpdate, PeerView } from './map-views.ts'
import { patchBetween } from './node-view.ts'

type Delta = { -readonly [K in keyof MapResponse]: MapResponse[K] }

/** What changed between two moments, and the response of all who see every bit of it: made once for all of them. */
export class Batch {
  readonly updates: readonly PeerUpdate[]
  #shared: MapResponse | undefined

  constructor(updates: readonly PeerUpdate[]) {
    this.updates = updates
  }

  /** Returns the response that `make` makes, the first time it is asked. */
  share(make: () => MapResponse): MapResponse {
    this.#shared ??= make()
    return this.#shared
  }
}

/** Remembers how one stream was told the world. */
export class MapSession {
  /** The node that listens. */
  readonly nodeId: number
  /** The key it listens with; a later key of the node ends this session. */
  readonly nodeKey: string
  /** How long it may hear nothing, milliseconds. */
  readonly patience: number
  /** When it last heard something. */
  toldAt = 0
  readonly #profiles = new Map<number, UserProfile>()
  #isOpen = false
  #blind = false
  #self: Node | undefined
  #packetFilter: readonly FilterRule[] | undefined
  #sshPolicy: SSHPolicy | undefined
  #messages: DisplayMessages | undefined
  #derpMap: DERPMap | undefined
  #dnsConfig: DNSConfig | undefined

  constructor(nodeId: number, nodeKey: string, patience: number) {
    this.nodeId = nodeId
    this.nodeKey = nodeKey
    this.patience = patience
  }

  /** Whether it had its snapshot. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** Returns the complete snapshot that opens a stream (control §3.4): the world as it was told. */
  first(view: MapView, told: ReadonlyMap<number, PeerView>): MapResponse {
    const peers: Node[] = []
    const profiles = [view.selfProfile]
    this.#profiles.set(view.selfProfile.ID, view.selfProfile)
    let owner = view.selfProfile
    for (const [id, peer] of view.blind ? [] : told) {
      if (id === this.nodeId || !view.saw(id)) continue
      peers.push(view.showed(peer))
      // The next one is mostly of the same owner.
      if (peer.profile === owner) continue
      owner = peer.profile
      if (this.#learnsProfile(owner)) profiles.push(owner)
    }
    this.#isOpen = true
    this.#blind = view.blind
    this.#self = view.self
    this.#packetFilter = view.packetFilter
    this.#sshPolicy = view.sshPolicy
    this.#messages = view.displayMessages
    this.#derpMap = view.derpMap
    this.#dnsConfig = view.dnsConfig
    return {
      Node: view.self,
      DERPMap: view.derpMap,
      Peers: peers,
      DNSConfig: view.dnsConfig,
      Domain: view.domain,
      CollectServices: false,
      PacketFilters: { base: view.packetFilter },
      UserProfiles: profiles,
      SSHPolicy: view.sshPolicy,
      ...(Object.keys(view.displayMessages).length > 0 ? { DisplayMessages: view.displayMessages } : {}),
      ...(view.clientVersion ? { ClientVersion: view.clientVersion } : {}),
      ...(view.dialPlan ? { ControlDialPlan: view.dialPlan } : {}),
      ControlTime: view.controlTime,
      Debug: { DisableLogTail: true },
    }
  }

  /**
   * Returns what changed for this viewer, or `undefined` when nothing did.
   *
   * @param told - The world as it is after the batch.
   */
  next(view: MapView, batch: Batch, told: ReadonlyMap<number, PeerView>): MapResponse | undefined {
    const delta: Delta = {}
    const sight = new Sight(view, this.#blind)
    const seesAll = this.#addPeers(sight, this.#pairs(view, batch, told), delta)
    this.#blind = view.blind
    if (this.#learnsProfile(view.selfProfile))
      delta.UserProfiles = [view.selfProfile, ...(delta.UserProfiles ?? [])]
    const justPeers = !delta.UserProfiles
    // Clients of 2026 show a profile that comes in a delta only after they worked out the whole map anew, which a self
    // node makes them do. New profiles are rare.
    if (view.self !== this.#self || delta.UserProfiles) delta.Node = this.#self = view.self
    if (view.packetFilter !== this.#packetFilter) {
      this.#packetFilter = view.packetFilter
      delta.PacketFilters = { base: view.packetFilter }
    }
    if (view.sshPolicy !== this.#sshPolicy) delta.SSHPolicy = this.#sshPolicy = view.sshPolicy
    if (view.displayMessages !== this.#messages) {
      delta.DisplayMessages = { ...gone(this.#messages, view.displayMessages), ...view.displayMessages }
      this.#messages = view.displayMessages
    }
    if (view.derpMap !== this.#derpMap) delta.DERPMap = this.#derpMap = view.derpMap
    if (view.dnsConfig !== this.#dnsConfig) delta.DNSConfig = this.#dnsConfig = view.dnsConfig
    if (Object.keys(delta).length === 0) return undefined
    const response = (): MapResponse => ({ ...delta, ControlTime: view.controlTime })
    const isShared =
      seesAll &&
      justPeers &&
      !delta.Node &&
      !delta.PacketFilters &&
      !delta.SSHPolicy &&
      !delta.DERPMap &&
      !delta.DisplayMessages
    return isShared && !delta.DNSConfig ? batch.share(response) : response()
  }

  /** What to look at: what changed; or everything, when the viewer itself is judged by something else now. */
  #pairs(view: MapView, batch: Batch, told: ReadonlyMap<number, PeerView>): Iterable<PeerUpdate> {
    if (!view.reshaped && view.blind === this.#blind) return batch.updates
    const pairs = new Map<number, PeerUpdate>()
    for (const [id, peer] of told) pairs.set(id, { id, before: peer, after: peer, patch: undefined })
    for (const update of batch.updates) pairs.set(update.id, update)
    return pairs.values()
  }

  /** Adds the peers' part. Returns whether every update is in it, as anybody would be told it. */
  #addPeers(sight: Sight, pairs: Iterable<PeerUpdate>, delta: Delta): boolean {
    const changed: Node[] = []
    const removed: number[] = []
    const patches: PeerChange[] = []
    const profiles: UserProfile[] = []
    let seesAll = true
    for (const { id, before, after, patch } of pairs) {
      const saw = id !== this.nodeId && before !== undefined && sight.saw(id)
      const sees = id !== this.nodeId && after !== undefined && sight.sees(id)
      if (saw !== (before !== undefined) || sees !== (after !== undefined)) seesAll = false
      if (saw && !sees) removed.push(id)
      if (!sees || !after) continue
      if (this.#learnsProfile(after.profile)) profiles.push(after.profile)
      const node = sight.shows(after)
      const shown = saw ? sight.showed(before) : undefined
      const isCut = node !== after.node || (shown !== undefined && shown !== before?.node)
      if (isCut) seesAll = false
      const change = isCut && shown ? patchBetween(shown, node) : patch
      if (!shown || (shown !== node && !change)) changed.push(node)
      // One that looks the same has a new owner; one that is cut may differ in what this viewer is not told.
      else if (change && shown !== node && (!isCut || Object.keys(change).length > 1)) patches.push(change)
    }
    if (changed.length > 0) delta.PeersChanged = changed
    if (removed.length > 0) delta.PeersRemoved = removed
    if (patches.length > 0) delta.PeersChangedPatch = patches
    if (profiles.length > 0) delta.UserProfiles = profiles
    return seesAll
  }

  #learnsProfile(profile: UserProfile): boolean {
    const known = this.#profiles.get(profile.ID)
    if (known === profile) return false
    this.#profiles.set(profile.ID, profile)
    return known?.LoginName !== profile.LoginName || known.DisplayName !== profile.DisplayName
  }
}

/** Messages that are no more, each as the `null` that takes it away. */
function gone(before: DisplayMessages | undefined, after: DisplayMessages): Record<string, null> {
  const ids = Object.keys(before ?? {}).filter((id) => !(id in after))
  return Object.fromEntries(ids.map((id) => [id, null]))
}

/** Whom a viewer sees and saw: an expired one nobody. */
class Sight {
  readonly #view: MapView
  readonly #wasBlind: boolean

  constructor(view: MapView, wasBlind: boolean) {
    this.#view = view
    this.#wasBlind = wasBlind
  }

  shows(peer: PeerView): Node {
    return this.#view.shows(peer)
  }

  showed(peer: PeerView): Node {
    return this.#view.showed(peer)
  }

  sees(id: number): boolean {
    return !this.#view.blind && this.#view.sees(id)
  }

  saw(id: number): boolean {
    return !this.#wasBlind && this.#view.saw(id)
  }
}
