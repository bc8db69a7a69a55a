// The map in the words of the rooms below: for magicsock, for DNS, and this node's own prefixes for the filter.
import type { DnsRecords } from '@mesh/dns'
import type { PeerConfig } from '@mesh/magicsock'
import { magicDnsSuffix, type MapNode, type NetworkMap } from '@mesh/netmap'
import { formatPrefix, parseAddress } from '@mesh/wire/ip'
import type { NumberedPeer } from './peer-table.ts'

/** Returns what magicsock must know of a peer. */
export function magicsockPeer({ peer, node }: NumberedPeer): PeerConfig {
  return {
    id: peer,
    nodeKey: node.nodeKey,
    discoKey: node.discoKey,
    endpoints: node.endpoints,
    homeRelay: node.homeRelay,
    expired: node.expired,
  }
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

function hasCapability(node: MapNode, name: string): boolean {
  return Object.hasOwn(node.source.CapMap ?? {}, name)
}
