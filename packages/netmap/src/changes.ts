// What an update means for the rooms of a node: who has to act, and for which peers.
import { type MapNode, same } from './map-node.ts'
import type { NetworkMap } from './network-map.ts'

/** What differs between two maps, by who must act on it. */
export interface MapChanges {
  /** Peers that are new, by number. */
  readonly added: readonly number[]
  /** Peers that are gone, by number. */
  readonly removed: readonly number[]
  /** Peers of which anything at all changed, by number. */
  readonly changed: readonly number[]
  /** This node changed: its addresses, key, name, capabilities, or whether it is let in. */
  readonly self: boolean
  /** WireGuard: the set of peers, a node key, allowed IPs, whether a key has ended, a peer's terms, or this node's addresses. */
  readonly wireguard: boolean
  /** Magicsock: the set of peers, a key, endpoints, a home relay, or whether a key has ended. */
  readonly paths: boolean
  /** The relays. */
  readonly relays: boolean
  /** The packet filter, or the addresses it protects. */
  readonly filter: boolean
  /** DNS: settings, or names and addresses of nodes. */
  readonly dns: boolean
  /** Addresses and routes of the device: this node's addresses or any allowed IPs. */
  readonly routes: boolean
  /** The SSH policy. */
  readonly ssh: boolean
  /** Only for people: users, messages, the network's name, whether a peer is online. */
  readonly status: boolean
}

/** The change set that says that nothing changed. */
export const NO_CHANGES: MapChanges = {
  added: [],
  removed: [],
  changed: [],
  self: false,
  wireguard: false,
  paths: false,
  relays: false,
  filter: false,
  dns: false,
  routes: false,
  ssh: false,
  status: false,
}

/** Returns what changed from `before` to `after`; everything, when there was no map before. */
export function compareMaps(before: NetworkMap | undefined, after: NetworkMap): MapChanges {
  if (before === after) return NO_CHANGES
  const peers = comparePeers(before?.peers ?? [], after.peers)
  const first = before === undefined
  const self = first || before.self !== after.self
  const setChanged = peers.added.length > 0 || peers.removed.length > 0
  const ownAddresses = first || before.self.addresses !== after.self.addresses
  const ownName = first || before.self.name !== after.self.name
  return {
    added: peers.added,
    removed: peers.removed,
    changed: peers.changed,
    self,
    wireguard: first || setChanged || peers.wireguard || ownAddresses,
    paths: first || setChanged || peers.paths,
    relays: first || before.derpMap !== after.derpMap,
    filter: first || before.packetFilter !== after.packetFilter || ownAddresses,
    dns: first || before.dns !== after.dns || setChanged || peers.names || ownAddresses || ownName,
    routes: first || setChanged || peers.routes || ownAddresses,
    ssh: first || before.sshPolicy !== after.sshPolicy,
    status: first || setChanged || peers.changed.length > 0 || self || statusDiffers(before, after),
  }
}

interface PeerDifferences {
  readonly added: number[]
  readonly removed: number[]
  readonly changed: number[]
  wireguard: boolean
  paths: boolean
  names: boolean
  routes: boolean
}

/** Walks two lists sorted by number side by side. */
function comparePeers(before: readonly MapNode[], after: readonly MapNode[]): PeerDifferences {
  const found: PeerDifferences = {
    added: [],
    removed: [],
    changed: [],
    wireguard: false,
    paths: false,
    names: false,
    routes: false,
  }
  if (before === after) return found
  let i = 0
  let k = 0
  while (i < before.length || k < after.length) {
    const old = before[i]
    const now = after[k]
    if (now === undefined || (old !== undefined && old.id < now.id)) {
      found.removed.push(old!.id)
      i += 1
    } else if (old === undefined || now.id < old.id) {
      found.added.push(now.id)
      k += 1
    } else {
      if (old !== now) comparePeer(old, now, found)
      i += 1
      k += 1
    }
  }
  return found
}

function comparePeer(old: MapNode, now: MapNode, found: PeerDifferences): void {
  found.changed.push(now.id)
  const key = old.nodeKey !== now.nodeKey
  const expired = old.expired !== now.expired
  const allowed = old.allowedIps !== now.allowedIps
  const reach =
    old.discoKey !== now.discoKey || old.endpoints !== now.endpoints || old.homeRelay !== now.homeRelay
  if (key || expired || allowed || haveOtherTerms(old, now)) found.wireguard = true
  if (key || expired || reach) found.paths = true
  if (allowed || expired) found.routes = true
  if (old.name !== now.name || old.addresses !== now.addresses) found.names = true
}

/** Whether a peer knows this node by another address than before, or may do more or less than answer. */
function haveOtherTerms({ source: old }: MapNode, { source: now }: MapNode): boolean {
  return (
    old.IsJailed !== now.IsJailed ||
    old.SelfNodeV4MasqAddrForThisPeer !== now.SelfNodeV4MasqAddrForThisPeer ||
    old.SelfNodeV6MasqAddrForThisPeer !== now.SelfNodeV6MasqAddrForThisPeer
  )
}

function statusDiffers(before: NetworkMap, after: NetworkMap): boolean {
  return (
    before.userProfiles !== after.userProfiles ||
    before.messages !== after.messages ||
    !same(before.health, after.health) ||
    before.domain !== after.domain ||
    before.tkaInfo !== after.tkaInfo ||
    before.clientVersion !== after.clientVersion
  )
}
