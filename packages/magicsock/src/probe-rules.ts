// Where a probe may go. A stranger must not make us knock on doors that are not a peer's (threat 32).
import {
  type Endpoint,
  type IpAddress,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isPrivate,
  isUnspecified,
} from '@mesh/wire/ip'

/** Tells whether an address belongs to the overlay: 100.64.0.0/10 or fd7a:115c:a1e0::/48 (section 8.1). */
export function isOverlay(address: IpAddress): boolean {
  if (address.length === 4) return address[0] === 100 && (address[1]! & 0xc0) === 64
  return OVERLAY_V6.every((byte, i) => address[i] === byte)
}

/**
 * Tells whether this node may send anything unasked to an endpoint that somebody named.
 *
 * Never to multicast, broadcast or nowhere; never into the overlay, which would loop; never to IPv6 link-local,
 * which means nothing without a zone; to loopback only when `loopback` allows it.
 */
export function mayProbe(endpoint: Endpoint, loopback: boolean): boolean {
  const { address, port } = endpoint
  if (port === 0 || isOverlay(address) || isMulticast(address) || isUnspecified(address)) return false
  if (address.length === 4 && (address[0] === 0 || address[0]! >= RESERVED_V4)) return false
  if (isLoopback(address)) return loopback
  return address.length === 4 || !isLinkLocal(address)
}

/** Tells whether an address is one of the Internet's: not of a private network, one link or this machine. */
export function isPublic(address: IpAddress): boolean {
  return !isPrivate(address) && !isLoopback(address) && !isLinkLocal(address)
}

const OVERLAY_V6 = [0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0]

/** 240.0.0.0/4 is reserved and holds the broadcast address. */
const RESERVED_V4 = 240
