// From a map to the rooms below: a handful of assignments, and nothing that remembers. What did not change is not assigned.
import type { DnsResolver } from '@mesh/dns'
import { type PathHabits, type PeerConfig, type RelayMap, relayMapOf } from '@mesh/magicsock'
import type { MapChanges, NetworkMap } from '@mesh/netmap'
import type { PeerConfig as WireGuardPeer } from '@mesh/wireguard'
import { eligiblePrefixes, type HostRoutes, hostRoutes } from './eligible-routes.ts'
import type { GateSettings } from './packet-gate.ts'
import {
  dnsRecords,
  hasCapability,
  localPrefixes,
  magicsockPeer,
  openingPacket,
  termsOf,
} from './peer-settings.ts'
import type { Terms } from './peer-terms.ts'
import type { NumberedPeer, PeerTable } from './peer-table.ts'

/** Node attributes that say how paths are kept (data-plane.md section 5.6). */
const ATTRIBUTE_SILENT_DISCO = 'silent-disco'
const ATTRIBUTE_PROBE_UDP_LIFETIME = 'probe-udp-lifetime'
const ATTRIBUTE_PROBE_PATH_MTU = 'peer-mtu-enable'

/** The room of keys and allowed IPs. */
export interface WireGuardRoom {
  /** Replaces the peers. */
  setPeers(peers: readonly WireGuardPeer[]): void
}

/** The room of paths. */
export interface PathsRoom {
  /** Replaces the peers. */
  setPeers(peers: readonly PeerConfig[]): void
  /** Replaces the relays. */
  setRelays(relays: RelayMap): void
  /** Says how paths are kept. */
  setHabits(habits: PathHabits): void
}

/** The rooms that act on a map. */
export interface Rooms {
  /** Gives peers the numbers that the rooms know them by. */
  readonly peers: PeerTable
  /** Takes the peers with keys and addresses. */
  readonly wireguard: WireGuardRoom
  /** This node's disco public key, which opens every session (data-plane.md 1.9). */
  readonly discoKey: Uint8Array
  /** Takes the peers with endpoints and relays. */
  readonly paths: PathsRoom
  /** Takes the rules, and what counts as this node. */
  readonly setFilter: (settings: Pick<GateSettings, 'rules' | 'localPrefixes'>) => void
  /** Takes the peers that know this node by another address, or may only answer. */
  readonly setTerms: (terms: Terms) => void
  /** Takes the names. */
  readonly dns: Pick<DnsResolver, 'setRecords'>
  /** Takes what the host's own network is to be told. */
  readonly onHostRoutes: (routes: HostRoutes) => void
}

/** Every room acts: for the first map, and for a data side made anew. */
export const EVERYTHING: MapChanges = {
  added: [],
  removed: [],
  changed: [],
  self: true,
  wireguard: true,
  paths: true,
  relays: true,
  filter: true,
  dns: true,
  routes: true,
  ssh: true,
  status: true,
}

/** Makes the rooms agree with the map. */
export function reconcile(map: NetworkMap, changes: MapChanges, rooms: Rooms): void {
  const peers = rooms.peers.update(map)
  if (changes.relays) rooms.paths.setRelays(relayMapOf(map.derpMap ?? {}))
  // Paths before keys: the first handshake finds where to go.
  // The filter too: it says who may relay for whom.
  if (changes.paths || changes.filter) {
    rooms.paths.setPeers(peers.map((numbered) => magicsockPeer(numbered, map)))
  }
  if (changes.self) {
    rooms.paths.setHabits({
      silentDisco: hasCapability(map.self, ATTRIBUTE_SILENT_DISCO),
      probeUdpLifetime: hasCapability(map.self, ATTRIBUTE_PROBE_UDP_LIFETIME),
      probePathMtu: hasCapability(map.self, ATTRIBUTE_PROBE_PATH_MTU),
    })
  }
  if (changes.wireguard) {
    // Terms before keys: no packet of a peer comes or goes without them.
    rooms.setTerms(termsOf(peers, map))
    rooms.wireguard.setPeers(peers.flatMap((peer) => wireguardPeer(peer, map, rooms.discoKey)))
  }
  if (changes.filter) rooms.setFilter({ localPrefixes: localPrefixes(map), rules: map.packetFilter })
  if (changes.dns) rooms.dns.setRecords(dnsRecords(map))
  if (changes.routes || changes.self) rooms.onHostRoutes(hostRoutes(map))
}

/** A peer whose key has ended, or that has no address that counts here, does not exist for WireGuard. */
function wireguardPeer({ peer, node }: NumberedPeer, map: NetworkMap, discoKey: Uint8Array): WireGuardPeer[] {
  const allowedIps = eligiblePrefixes(node)
  if (node.expired || allowedIps.length === 0) return []
  const priorityPacket = openingPacket(node, map, discoKey)
  return [{ id: peer, publicKey: node.nodeKey, allowedIps, ...(priorityPacket ? { priorityPacket } : {}) }]
}
