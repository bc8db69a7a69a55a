// The map in the words of the rooms below: for magicsock, for DNS, and this node's own prefixes for the filter.
import type { DnsRecords } from '@mesh/dns'
import type { PeerConfig } from '@mesh/magicsock'
import { magicDnsSuffix, type MapNode, type NetworkMap } from '@mesh/netmap'
import { capabilitiesBetween } from '@mesh/policy'
import { encodeIpPacket, formatPrefix, type IpAddress, parseAddress, PROTOCOL_TSMP } from '@mesh/wire/ip'
import { encodeTsmp } from '@mesh/wire/tsmp'
import { eligiblePrefixes } from './eligible-routes.ts'
import { NO_TERMS, type Terms } from './peer-terms.ts'
import type { NumberedPeer } from './peer-table.ts'

/** Who has it toward us may have our peer relay serve it; who has the other toward us may be asked to serve. */
const CAP_RELAY = 'tailscale.com/cap/relay'
const CAP_RELAY_TARGET = 'tailscale.com/cap/relay-target'
/** Nodes of this capability version understand peer relays (data-plane.md section 5.11). */
const PEER_RELAY_VERSION = 121

/** Returns what magicsock must know of a peer. */
export function magicsockPeer({ peer, node }: NumberedPeer, map: NetworkMap): PeerConfig {
  const grants = grantsOf(node, map)
  const understandsPeerRelays = (node.source.Cap ?? 0) >= PEER_RELAY_VERSION
  return {
    id: peer,
    nodeKey: node.nodeKey,
    discoKey: node.discoKey,
    endpoints: node.endpoints,
    homeRelay: node.homeRelay,
    expired: node.expired,
    isWireGuardOnly: node.source.IsWireGuardOnly === true,
    understandsPeerRelays,
    servesAsRelay: understandsPeerRelays && grants.has(CAP_RELAY_TARGET),
    mayUseOurRelay: grants.has(CAP_RELAY),
  }
}

/** What a node may ask of us. Grants are by address; those of one family say enough. */
function grantsOf(node: MapNode, map: NetworkMap): ReadonlySet<string> {
  const grants = map.packetFilter.filter((rule) => rule.CapGrant !== undefined)
  if (grants.length === 0) return NO_GRANTS
  for (const { address } of node.addresses) {
    const own = map.self.addresses.find((prefix) => prefix.address.length === address.length)
    if (own !== undefined) return capabilitiesBetween(grants, address, own.address)
  }
  return NO_GRANTS
}

const NO_GRANTS: ReadonlySet<string> = new Set()

/**
 * Returns the packet that opens every session with a peer and tells it our disco key, from our address to its first one;
 * none for a peer that is WireGuard and nothing else.
 */
export function openingPacket(node: MapNode, map: NetworkMap, discoKey: Uint8Array): Uint8Array | undefined {
  const destination = node.addresses[0]?.address
  const isOfFamily = (address: IpAddress): boolean => address.length === destination?.length
  const own = ownAddresses(map).find(isOfFamily)
  if (destination === undefined || own === undefined || node.source.IsWireGuardOnly === true) return undefined
  const source = shownAddresses(node).find(isOfFamily) ?? own
  const header = { source, destination, protocol: PROTOCOL_TSMP }
  return encodeIpPacket(header, encodeTsmp({ kind: 'disco-key', discoKey }))
}

/** Returns the terms of all peers, if there is one of whom they say anything. */
export function termsOf(peers: readonly NumberedPeer[], map: NetworkMap): Terms {
  if (!peers.some(({ node }) => isJailed(node) || shownAddresses(node).length > 0)) return NO_TERMS
  return {
    own: ownAddresses(map),
    peers: peers.map(({ node }) => ({
      prefixes: eligiblePrefixes(node),
      shown: shownAddresses(node),
      isJailed: isJailed(node),
    })),
  }
}

function isJailed({ source }: MapNode): boolean {
  return source.IsJailed === true
}

function ownAddresses(map: NetworkMap): readonly IpAddress[] {
  return map.self.addresses.map(({ address }) => address)
}

/** The addresses by which a peer knows this node in the place of its own. */
function shownAddresses({ source }: MapNode): readonly IpAddress[] {
  const { SelfNodeV4MasqAddrForThisPeer: v4 = '', SelfNodeV6MasqAddrForThisPeer: v6 = '' } = source
  return [v4, v6].flatMap((text) => parseAddress(text) ?? [])
}

/** Returns the prefixes that count as this node: the filter lets nothing in for any other destination. */
export function localPrefixes(map: NetworkMap): readonly string[] {
  return map.self.addresses.map(formatPrefix)
}

/** Returns what DNS answers from. */
export function dnsRecords(map: NetworkMap): DnsRecords {
  const { dns } = map
  const extra = (dns.ExtraRecords ?? []).flatMap((record) => {
    const address = parseAddress(record.Value)
    const known = !record.Type || record.Type === 'A' || record.Type === 'AAAA'
    return address && known ? [{ name: record.Name, address }] : []
  })
  const split = Object.entries(dns.Routes ?? {}).map(([suffix, resolvers]) => ({
    suffix,
    resolvers: (resolvers ?? []).map((resolver) => resolver.Addr),
  }))
  // Nothing reads the host's own resolvers here, so the fallback is the way out whenever no others are named.
  const named = dns.Resolvers?.length ? dns.Resolvers : dns.FallbackResolvers
  const others = (named ?? []).map((resolver) => resolver.Addr)
  return {
    ...(dns.Proxied ? { suffix: magicDnsSuffix(map) } : {}),
    nodes: [map.self, ...map.peers].map(readNode),
    extra,
    routes: others.length > 0 ? [...split, { suffix: '', resolvers: others }] : split,
    selfHasIpv4: map.self.addresses.some((prefix) => prefix.address.length === 4),
    bothFamilies: hasCapability(map.self, 'magicdns-aaaa'),
  }
}

function readNode(node: MapNode): NonNullable<DnsRecords['nodes']>[number] {
  return {
    name: node.name,
    addresses: node.addresses.map((prefix) => prefix.address),
    subdomains: hasCapability(node, 'dns-subdomain-resolve'),
  }
}

/** Tells whether control has given a node a capability or attribute. */
export function hasCapability(node: MapNode, name: string): boolean {
  return Object.hasOwn(node.source.CapMap ?? {}, name)
}
