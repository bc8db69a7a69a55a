// The address of ours that a datagram came to or goes out from: the control messages IP_PKTINFO and IPV6_PKTINFO of ip(7)
// and ipv6(7). The interface in them stays 0 on the way out: the routes choose it, and may change their mind.
import {
  EADDRNOTAVAIL,
  EHOSTUNREACH,
  EINVAL,
  ENETUNREACH,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_PKTINFO,
} from '@mesh/linux'
import type { IpAddress } from '@mesh/wire/ip'

const HEADER = 16
/** struct in_pktinfo: interface, our address, the header's destination; struct in6_pktinfo: our address, interface. */
const LENGTH_V4 = HEADER + 12
const LENGTH_V6 = HEADER + 20
const LOCAL_V4 = HEADER + 4
const LOCAL_V6 = HEADER

const NO_WAY: ReadonlySet<number> = new Set([EINVAL, EADDRNOTAVAIL, ENETUNREACH, EHOSTUNREACH])

/** Returns the control message that has a datagram go out from this address: 32 bytes for IPv4, 40 for IPv6. */
export function encodePacketInfo(local: IpAddress): Uint8Array {
  const isV4 = local.length === 4
  const bytes = new Uint8Array(isV4 ? 32 : 40)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, isV4 ? LENGTH_V4 : LENGTH_V6, true)
  view.setInt32(8, isV4 ? IPPROTO_IP : IPPROTO_IPV6, true)
  view.setInt32(12, isV4 ? IP_PKTINFO : IPV6_PKTINFO, true)
  bytes.set(local, isV4 ? LOCAL_V4 : LOCAL_V6)
  return bytes
}

/** Returns how many bytes of our address a control message holds: 4, 16, or 0 when it is about something else. */
export function localLengthIn(level: number, type: number, length: number): 0 | 4 | 16 {
  if (level === IPPROTO_IP && type === IP_PKTINFO && length >= LENGTH_V4) return 4
  return level === IPPROTO_IPV6 && type === IPV6_PKTINFO && length >= LENGTH_V6 ? 16 : 0
}

/** Tells whether a send may have failed for its own address: the host has lost it, or does not get there from it any more. */
export function mayBlameLocal(result: number): boolean {
  return NO_WAY.has(-result)
}

/** Where that address begins in the message. */
export function localAtIn(length: 4 | 16): number {
  return length === 4 ? LOCAL_V4 : LOCAL_V6
}
