// Which prefixes of a peer count here (data-plane.md section 8.2), and what the host must route into the mesh.
import type { MapNode, NetworkMap } from '@mesh/netmap'
import { addressesEqual, formatPrefix, type Prefix } from '@mesh/wire/ip'

/** Where MagicDNS answers, on every node; never routed to a peer. */
export const SERVICE_ADDRESS_V4 = '100.100.100.100'

/** The same for IPv6. */
export const SERVICE_ADDRESS_V6 = 'fd7a:115c:a1e0::53'

/** All IPv6 addresses of nodes are in here, so the host needs one route for them. */
const NODES_V6 = 'fd7a:115c:a1e0::/48'

/** What the host's own network is to be told. */
export interface HostRoutes {
  /** Addresses of the device, with prefix length. */
  readonly addresses: readonly string[]
  /** Destinations that go into the device. */
  readonly routes: readonly string[]
}

/**
 * Returns the prefixes a peer may send from and be sent to: its own addresses. Subnet routes wait for the wish to
 * accept them, and an exit route for the choice of an exit node, neither of which is offered yet.
 */
export function eligiblePrefixes(node: MapNode): readonly Prefix[] {
  return node.allowedIps.filter(
    (prefix) => isHost(prefix) && node.addresses.some((own) => samePlace(own, prefix)),
  )
}

/** Returns the addresses and routes that this map asks of the host. */
export function hostRoutes(map: NetworkMap): HostRoutes {
  const addresses = map.self.addresses.map(formatPrefix)
  const peers = map.peers.flatMap(eligiblePrefixes)
  const v4 = peers.filter((prefix) => prefix.address.length === 4).map(formatPrefix)
  const hasV4 = map.self.addresses.some((prefix) => prefix.address.length === 4)
  const hasV6 = map.self.addresses.some((prefix) => prefix.address.length === 16)
  return {
    addresses,
    routes: [...(hasV4 ? [`${SERVICE_ADDRESS_V4}/32`] : []), ...v4, ...(hasV6 ? [NODES_V6] : [])],
  }
}

function isHost(prefix: Prefix): boolean {
  return prefix.bits === prefix.address.length * 8
}

function samePlace(a: Prefix, b: Prefix): boolean {
  return a.bits === b.bits && addressesEqual(a.address, b.address)
}
