// One open map stream: what it was told, and so what it still has to be told. A session remembers the very objects it
// sent; a difference to what it should now show becomes a removal, a whole node or a patch. Nothing is told twice, and
// a peer that was never shown is never mentioned (control §3.6.8).

import type {
  DERPMap,
  DNSConfig,
  FilterRule,
  MapResponse,
  Node,
  PeerChange,
  UserProfile,
} from '@mesh/wire/control'
import { patchBetween } from './node-view.ts'

/** What one node should see now. Equal content comes as the same object. */
export interface MapView {
  /** The node itself. */
  readonly self: Node
  /** The profile of its owner. */
  readonly selfProfile: UserProfile
  /** Whether it sees no peers at all, because its own key has expired. */
  readonly blind: boolean
  /** Returns a peer, or `undefined` when it is gone or hidden. */
  peer(id: number): { readonly node: Node; readonly profile: UserProfile } | undefined
  /** Returns the ids of all nodes, hidden ones too. */
  ids(): Iterable<number>
  /** The rules it enforces. */
  readonly packetFilter: readonly FilterRule[]
  /** The relays. */
  readonly derpMap: DERPMap
  /** How it resolves names. */
  readonly dnsConfig: DNSConfig
  /** The network's name. */
  readonly domain: string
  /** The wall clock as a Go time. */
  readonly controlTime: string
}

type Delta = { -readonly [K in keyof MapResponse]: MapResponse[K] }

/** Remembers what one stream was told. */
export class MapSession {
  /** The node that listens. */
  readonly nodeId: number
  /** The key it listens with; a later key of the node ends this session. */
  readonly nodeKey: string
  readonly #peers = new Map<number, Node>()
  readonly #profiles = new Map<number, UserProfile>()
  readonly #dirty = new Set<number>()
  #blind = false
  #self: Node | undefined
  #packetFilter: readonly FilterRule[] | undefined
  #derpMap: DERPMap | undefined
  #dnsConfig: DNSConfig | undefined

  constructor(nodeId: number, nodeKey: string) {
    this.nodeId = nodeId
    this.nodeKey = nodeKey
  }

  /** Notes nodes to look at again at the next {@link MapSession.next}. */
  markChanged(ids: Iterable<number>): void {
    for (const id of ids) this.#dirty.add(id)
  }

  /** Returns the complete snapshot that opens a stream (control §3.4). */
  first(view: MapView): MapResponse {
    const peers: Node[] = []
    const profiles = [view.selfProfile]
    this.#profiles.set(view.selfProfile.ID, view.selfProfile)
    for (const id of view.ids()) {
      const seen = view.peer(id)
      if (!seen) continue
      peers.push(seen.node)
      this.#peers.set(id, seen.node)
      if (this.#learnsProfile(seen.profile)) profiles.push(seen.profile)
    }
    this.#dirty.clear()
    this.#blind = view.blind
    this.#self = view.self
    this.#packetFilter = view.packetFilter
    this.#derpMap = view.derpMap
    this.#dnsConfig = view.dnsConfig
    return {
      Node: view.self,
      DERPMap: view.derpMap,
      Peers: peers.toSorted((a, b) => a.ID - b.ID),
      DNSConfig: view.dnsConfig,
      Domain: view.domain,
      CollectServices: false,
      PacketFilters: { base: view.packetFilter },
      UserProfiles: profiles,
      SSHPolicy: { rules: [] },
      ControlTime: view.controlTime,
      Debug: { DisableLogTail: true },
    }
  }

  /** Returns what changed since the last response, or `undefined` when nothing did. */
  next(view: MapView): MapResponse | undefined {
    const delta: Delta = {}
    if (view.blind !== this.#blind) this.markChanged(view.ids())
    this.#blind = view.blind
    this.#addPeers(view, delta)
    // Clients of 2026 show a profile that comes in a delta only after they worked out the whole map anew, which a self
    // node makes them do. New profiles are rare.
    if (view.self !== this.#self || delta.UserProfiles) delta.Node = this.#self = view.self
    if (view.packetFilter !== this.#packetFilter) {
      this.#packetFilter = view.packetFilter
      delta.PacketFilters = { base: view.packetFilter }
    }
    if (view.derpMap !== this.#derpMap) delta.DERPMap = this.#derpMap = view.derpMap
    if (view.dnsConfig !== this.#dnsConfig) delta.DNSConfig = this.#dnsConfig = view.dnsConfig
    return Object.keys(delta).length === 0 ? undefined : { ...delta, ControlTime: view.controlTime }
  }

  #addPeers(view: MapView, delta: Delta): void {
    const changed: Node[] = []
    const removed: number[] = []
    const patches: PeerChange[] = []
    const profiles: UserProfile[] = []
    if (this.#learnsProfile(view.selfProfile)) profiles.push(view.selfProfile)
    for (const id of this.#dirty) {
      const before = this.#peers.get(id)
      const seen = view.peer(id)
      if (!seen) {
        if (this.#peers.delete(id)) removed.push(id)
        continue
      }
      if (this.#learnsProfile(seen.profile)) profiles.push(seen.profile)
      if (seen.node === before) continue
      this.#peers.set(id, seen.node)
      const patch = before && patchOnce(before, seen.node)
      if (!patch) changed.push(seen.node)
      else if (Object.keys(patch).length > 1) patches.push(patch)
    }
    this.#dirty.clear()
    if (changed.length > 0) delta.PeersChanged = changed.toSorted((a, b) => a.ID - b.ID)
    if (removed.length > 0) delta.PeersRemoved = removed
    if (patches.length > 0) delta.PeersChangedPatch = patches
    if (profiles.length > 0) delta.UserProfiles = profiles
  }

  #learnsProfile(profile: UserProfile): boolean {
    const known = this.#profiles.get(profile.ID)
    this.#profiles.set(profile.ID, profile)
    return known?.LoginName !== profile.LoginName || known.DisplayName !== profile.DisplayName
  }
}

/** One change of a node goes to every viewer: the difference is worked out once. */
const patches = new WeakMap<Node, { readonly after: Node; readonly patch: PeerChange | undefined }>()

function patchOnce(before: Node, after: Node): PeerChange | undefined {
  const known = patches.get(before)
  if (known?.after === after) return known.patch
  const patch = patchBetween(before, after)
  patches.set(before, { after, patch })
  return patch
}
