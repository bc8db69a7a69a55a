// From the map and what the rooms below know of paths and handshakes to the status that people and programs read.
import { formatHop, type PeerStatus as PathStatus, type Traffic } from '@mesh/magicsock'
import { displayName, magicDnsSuffix, type MapNode, type NetworkMap, nodeByAddress } from '@mesh/netmap'
import { formatAddress, formatEndpoint, formatPrefix, parseAddress } from '@mesh/wire/ip'
import { healthSentences } from './health.ts'
import type { WhoIs } from './node-api.ts'
import {
  type BackendState,
  type DataPlaneStatus,
  type DropStatus,
  type PeerStatus,
  type Status,
  type UserStatus,
  ZERO_TIME,
} from './status.ts'

/** Where a status comes from. */
export interface StatusSources {
  /** Where the node stands. */
  readonly state: BackendState
  /** True when packets go through a kernel device. */
  readonly tun: boolean
  /** Who moves the packets, once that is settled. */
  readonly dataPlane?: DataPlaneStatus | undefined
  /** What was thrown away, once there is somebody to do it. */
  readonly drops?: DropStatus | undefined
  /** What is wrong, a sentence each, as the node itself knows it. */
  readonly health: readonly string[]
  /** The map, once there is one. */
  readonly map: NetworkMap | undefined
  /** Endpoints this node found for itself. */
  readonly ownEndpoints: readonly string[]
  /** This node's home relay region; 0 for none. */
  readonly homeRelay: number
  /** What magicsock knows of a peer. */
  pathOf(node: MapNode): PathStatus | undefined
  /** Why the path to a peer is as it is, as a code. */
  pathReasonOf(node: MapNode): string | undefined
  /** Wall time of the last handshake with a peer, milliseconds since 1970. */
  lastHandshakeOf(node: MapNode): number | undefined
}

/** Returns the status, all but the version, which only the program around knows. */
export function describeStatus(sources: StatusSources): Omit<Status, 'Version'> {
  const { map } = sources
  const suffix = map ? magicDnsSuffix(map) : ''
  return {
    TUN: sources.tun,
    ...(sources.dataPlane ? { DataPlane: sources.dataPlane } : {}),
    ...(sources.drops ? { Drops: sources.drops } : {}),
    BackendState: sources.state,
    HaveNodeKey: true,
    AuthURL: '',
    TailscaleIPs: map ? addressesOf(map.self) : null,
    Self: map ? describeSelf(map, sources) : null,
    Health: healthSentences(sources.health, map),
    MagicDNSSuffix: suffix,
    CurrentTailnet: map
      ? { Name: map.domain, MagicDNSSuffix: suffix, MagicDNSEnabled: map.dns.Proxied === true }
      : null,
    CertDomains: map?.dns.CertDomains ?? null,
    Peer: map ? describePeers(map, sources) : null,
    User: map ? describeUsers(map) : null,
  }
}

/** Returns where a node with this map stands: whether control refuses it, its host has the addresses, and it has a home relay. */
export function stateOf(
  map: NetworkMap | undefined,
  { isRefused, hostIsSet, isHome }: Readonly<Record<'isRefused' | 'hostIsSet' | 'isHome', boolean>>,
): BackendState {
  if (!map) return 'Starting'
  if (map.self.expired || isRefused) return 'NeedsLogin'
  if (map.self.source.MachineAuthorized === false) return 'NeedsMachineAuth'
  if (!hostIsSet) return 'Starting'
  const hasRelays = Object.keys(map.derpMap?.Regions ?? {}).length > 0
  return !hasRelays || isHome ? 'Running' : 'Starting'
}

/** Returns a node's addresses as text, IPv4 first. */
export function addressesOf(node: MapNode): readonly string[] {
  const sorted = [...node.addresses].sort((a, b) => a.address.length - b.address.length)
  return sorted.map((prefix) => formatAddress(prefix.address))
}

/** Returns a node's name, short within its own network. */
export function nameOf(map: NetworkMap, node: MapNode): string {
  return displayName(map, node) || (node.source.Hostinfo?.Hostname ?? '')
}

/** Returns whose a mesh address or a node key (as text) is, or `undefined` when it is nobody's. */
export function whoIs(map: NetworkMap, addressOrKey: string): WhoIs | undefined {
  const address = parseAddress(addressOrKey)
  const node = address
    ? nodeByAddress(map, address)
    : [map.self, ...map.peers].find((one) => one.source.Key === addressOrKey)
  if (!node) return undefined
  return {
    node: { ...node.source, ComputedName: nameOf(map, node) },
    user: map.userProfiles.get(node.user) ?? { ID: node.user, LoginName: '', DisplayName: '' },
  }
}

function describeSelf(map: NetworkMap, sources: StatusSources): PeerStatus {
  return {
    ...describeNode(map, map.self, sources.homeRelay),
    Addrs: sources.ownEndpoints,
    Online: sources.state === 'Running',
    InNetworkMap: true,
  }
}

function describePeers(map: NetworkMap, sources: StatusSources): Record<string, PeerStatus> {
  const peers = map.peers.map((node) => [node.source.Key, describePeer(map, node, sources)] as const)
  return Object.fromEntries(peers)
}

function describePeer(map: NetworkMap, node: MapNode, sources: StatusSources): PeerStatus {
  const path = sources.pathOf(node)
  const traffic = path?.traffic
  const handshake = sources.lastHandshakeOf(node)
  const reason = path?.active && !path.endpoint ? sources.pathReasonOf(node) : undefined
  return {
    ...describeNode(map, node, node.homeRelay),
    Addrs: node.endpoints.map(formatEndpoint),
    CurAddr: path?.endpoint ? formatEndpoint(path.endpoint) : '',
    PeerRelay: path?.peerRelay ? formatHop(path.peerRelay) : '',
    ...(reason ? { PathReason: reason } : {}),
    Active: path?.active ?? false,
    LastHandshake: time(handshake),
    InMagicSock: path !== undefined,
    InEngine: path !== undefined,
    ...(traffic
      ? {
          RxBytes: sumOf(traffic.receivedDirect, traffic.receivedPeerRelay, traffic.receivedRelay),
          TxBytes: sumOf(traffic.sentDirect, traffic.sentPeerRelay, traffic.sentRelay),
          Paths: {
            directTx: traffic.sentDirect.packets,
            directRx: traffic.receivedDirect.packets,
            peerRelayTx: traffic.sentPeerRelay.packets,
            peerRelayRx: traffic.receivedPeerRelay.packets,
            relayTx: traffic.sentRelay.packets,
            relayRx: traffic.receivedRelay.packets,
          },
        }
      : {}),
  }
}

function sumOf(...ways: readonly Traffic[]): number {
  return ways.reduce((sum, { bytes }) => sum + bytes, 0)
}

function describeNode(map: NetworkMap, node: MapNode, homeRelay: number): PeerStatus {
  const { source } = node
  return {
    ID: node.stableId,
    NodeID: node.id,
    PublicKey: source.Key,
    HostName: source.Hostinfo?.Hostname ?? nameOf(map, node),
    DNSName: node.name,
    OS: source.Hostinfo?.OS ?? '',
    UserID: node.user,
    TailscaleIPs: addressesOf(node),
    AllowedIPs: node.allowedIps.map(formatPrefix),
    ...(source.Tags?.length ? { Tags: source.Tags } : {}),
    Addrs: [],
    CurAddr: '',
    PeerRelay: '',
    Relay: map.derpMap?.Regions?.[String(homeRelay)]?.RegionCode ?? '',
    RxBytes: 0,
    TxBytes: 0,
    Created: source.Created ?? ZERO_TIME,
    LastSeen: time(node.lastSeen),
    LastHandshake: ZERO_TIME,
    Online: node.online === true,
    Active: false,
    ExitNode: false,
    ExitNodeOption: node.allowedIps.some((prefix) => prefix.bits === 0),
    InNetworkMap: true,
    InMagicSock: false,
    InEngine: false,
    ...(node.expired ? { Expired: true } : {}),
    ...(node.keyExpiry === undefined ? {} : { KeyExpiry: time(node.keyExpiry) }),
    ...(source.CapMap ? { CapMap: source.CapMap } : {}),
  }
}

function describeUsers(map: NetworkMap): Record<string, UserStatus> {
  const users = [...map.userProfiles].map(
    ([id, user]) =>
      [String(id), { ID: id, LoginName: user.LoginName, DisplayName: user.DisplayName }] as const,
  )
  return Object.fromEntries(users)
}

function time(wall: number | undefined): string {
  return wall === undefined ? ZERO_TIME : new Date(wall).toISOString()
}
