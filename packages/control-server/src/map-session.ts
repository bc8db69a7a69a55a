// One open map stream: what of the world as it was told this viewer could see, and so what it still has to be told. A
// change becomes a removal, a whole node or a patch. Nothing is told twice, and a peer that was never shown is never
// mentioned (control §3.6.8).

import type {
  DERPMap,
  DNSConfig,
  FilterRule,
  MapResponse,
  Node,
  SSHPolicy,
  UserProfile,
} from '@mesh/wire/control'
import type { DisplayMessages } from './display-messages.ts'
import type { MapView, MapViews, PeerUpdate, PeerView } from './map-views.ts'
import { type Batch, partOf, type PeersPart } from './peers-part.ts'
import type { SeenPeers } from './seen-peers.ts'

type Delta = { -readonly [K in keyof MapResponse]: MapResponse[K] }

const NO_OWNERS: ReadonlyMap<number, UserProfile> = new Map()

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
  /** The owners it was told of in the beginning, one map for all who were told the same; and those since. */
  #owners = NO_OWNERS
  readonly #learned = new Map<number, UserProfile>()
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
  first(view: MapView, seen: SeenPeers): MapResponse {
    const profiles = [view.selfProfile]
    if (!view.blind) {
      this.#owners = seen.ownersFor(view)
      for (const owner of this.#owners.values()) if (owner.ID !== view.selfProfile.ID) profiles.push(owner)
    }
    this.#learns(view.selfProfile)
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
      Peers: view.blind ? [] : seen.without(view),
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

  /** Returns what changed for this viewer, or `undefined` when nothing did. */
  next(views: MapViews, batch: Batch): MapResponse | undefined {
    if (batch.concerns(this.nodeId)) return this.#lookAgain(views, batch)
    if (this.#blind) return undefined
    const part = batch.knownPart(views.kindOf(this.nodeId))
    if (!part || part.owners.some((owner) => !this.#knows(owner))) return this.#lookAgain(views, batch)
    return part.response(views.controlTime)
  }

  #lookAgain(views: MapViews, batch: Batch): MapResponse | undefined {
    const view = views.viewFor(this.nodeId)
    const part = this.#partOf(view, batch, views.told)
    this.#blind = view.blind
    const delta: Delta = {}
    const profiles = [view.selfProfile, ...part.owners].filter((profile) => this.#learns(profile))
    if (profiles.length > 0) delta.UserProfiles = profiles
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
    if (Object.keys(delta).length === 0) return part.response(views.controlTime)
    return { ...delta, ...part.fields, ControlTime: view.controlTime }
  }

  /** What to look at: what changed; or everything, when the viewer itself is judged by something else now. */
  #partOf(view: MapView, batch: Batch, told: ReadonlyMap<number, PeerView>): PeersPart {
    const wasBlind = this.#blind
    if (!view.reshaped && !view.blind && !wasBlind) return batch.partFor(view)
    const pairs = new Map<number, PeerUpdate>()
    if (view.reshaped || view.blind !== wasBlind)
      for (const [id, peer] of told) pairs.set(id, { id, before: peer, after: peer, patch: undefined })
    for (const update of batch.updates) pairs.set(update.id, update)
    const nobody = (): boolean => false
    return partOf(pairs.values(), {
      ...view,
      ...(view.blind ? { sees: nobody } : {}),
      ...(wasBlind ? { saw: nobody } : {}),
    })
  }

  #knows({ ID, LoginName, DisplayName }: UserProfile): boolean {
    const known = this.#learned.get(ID) ?? this.#owners.get(ID)
    return known?.LoginName === LoginName && known.DisplayName === DisplayName
  }

  #learns(profile: UserProfile): boolean {
    if (this.#knows(profile)) return false
    this.#learned.set(profile.ID, profile)
    return true
  }
}

/** Messages that are no more, each as the `null` that takes it away. */
function gone(before: DisplayMessages | undefined, after: DisplayMessages): Record<string, null> {
  const ids = Object.keys(before ?? {}).filter((id) => !(id in after))
  return Object.fromEntries(ids.map((id) => [id, null]))
}
