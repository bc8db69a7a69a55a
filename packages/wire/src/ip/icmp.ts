// ICMP for IPv4 (RFC 792) and IPv6 (RFC 4443): echoes, and the "nobody listens here" that a closed UDP port owes.
import { readU16, writeU16 } from '../big-endian.ts'
import type { IpAddress } from './address.ts'
import { internetChecksum, pseudoHeaderSum } from './checksum.ts'
import { ipHeaderLength, startPacket } from './header.ts'
import type { IpPacket } from './packet.ts'
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6 } from './protocol.ts'

/** Bytes of an ICMP header, the four after the checksum included. */
export const ICMP_HEADER_LENGTH = 8
/** Type of an ICMPv4 echo reply. */
export const ICMP_ECHO_REPLY = 0
/** Type of ICMPv4 destination unreachable. */
export const ICMP_UNREACHABLE = 3
/** Type of an ICMPv4 echo request. */
export const ICMP_ECHO_REQUEST = 8
/** Type of ICMPv4 time exceeded. */
export const ICMP_TIME_EXCEEDED = 11
/** Type of ICMPv4 parameter problem. */
export const ICMP_PARAMETER_PROBLEM = 12
/** Type of ICMPv6 destination unreachable. */
export const ICMPV6_UNREACHABLE = 1
/** Type of ICMPv6 packet too big. */
export const ICMPV6_PACKET_TOO_BIG = 2
/** Type of ICMPv6 time exceeded. */
export const ICMPV6_TIME_EXCEEDED = 3
/** Type of ICMPv6 parameter problem. */
export const ICMPV6_PARAMETER_PROBLEM = 4
/** Type of an ICMPv6 echo request. */
export const ICMPV6_ECHO_REQUEST = 128
/** Type of an ICMPv6 echo reply. */
export const ICMPV6_ECHO_REPLY = 129

const PORT_UNREACHABLE_V4 = 3
const PORT_UNREACHABLE_V6 = 4
/** An error quotes so much of the packet that the whole stays within every IPv6 link's smallest MTU. */
const MAX_QUOTE = 1232
/** An IPv4 error packet stays within 576 bytes (RFC 1812 section 4.3.2.3). */
const MAX_QUOTE_V4 = 548

/** An ICMP message; `body` is a view. */
export interface IcmpMessage {
  /** The type, whose numbers differ between IPv4 and IPv6. */
  readonly type: number
  /** The code within the type. */
  readonly code: number
  /** What follows the checksum: for errors 4 bytes and then the quoted packet. */
  readonly body: Uint8Array
}

/** An echo request or reply; `data` is a view. */
export interface IcmpEcho {
  /** Which of the two. */
  readonly kind: 'request' | 'reply'
  /** Usually names the process that pings. */
  readonly identifier: number
  /** Counts the pings. */
  readonly sequence: number
  /** What comes back unchanged. */
  readonly data: Uint8Array
}

/** Reads an ICMP message of either version (the payload of an IP packet), or returns `undefined` when too short. */
export function decodeIcmp(segment: Uint8Array): IcmpMessage | undefined {
  if (segment.length < ICMP_HEADER_LENGTH) return undefined
  return { type: segment[0]!, code: segment[1]!, body: segment.subarray(4) }
}

/** Reads the echo that an IP packet carries, or returns `undefined` when it carries none. */
export function decodeIcmpEcho(packet: IpPacket): IcmpEcho | undefined {
  const v4 = packet.version === 4
  if (packet.protocol !== (v4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6)) return undefined
  if (packet.fragmentOffset > 0 || packet.moreFragments) return undefined
  const { payload } = packet
  if (payload.length < ICMP_HEADER_LENGTH || payload[1] !== 0) return undefined
  const type = payload[0]
  const isRequest = type === (v4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST)
  if (!isRequest && type !== (v4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY)) return undefined
  return {
    kind: isRequest ? 'request' : 'reply',
    identifier: readU16(payload, 4),
    sequence: readU16(payload, 6),
    data: payload.subarray(ICMP_HEADER_LENGTH),
  }
}

/**
 * Returns a whole IP packet that carries an echo request or reply, for the family of the addresses.
 *
 * @throws RangeError when the families differ or the packet would be too long.
 */
export function encodeIcmpEcho(source: IpAddress, destination: IpAddress, echo: IcmpEcho): Uint8Array {
  const request = echo.kind === 'request'
  const v4 = request ? ICMP_ECHO_REQUEST : ICMP_ECHO_REPLY
  const v6 = request ? ICMPV6_ECHO_REQUEST : ICMPV6_ECHO_REPLY
  const rest = (echo.identifier << 16) | echo.sequence
  return encodeIcmp(source, destination, source.length === 4 ? v4 : v6, 0, rest, echo.data)
}

/**
 * Returns the answer to a UDP packet for a port where nobody listens: port unreachable, quoting what fits of it.
 *
 * The answer comes from the packet's destination. Do not answer multicast or packets from no single host.
 */
export function encodeIcmpPortUnreachable(packet: IpPacket): Uint8Array {
  const v4 = packet.version === 4
  const { start, totalLength } = packet
  const quote = packet.bytes.subarray(start, start + Math.min(totalLength, v4 ? MAX_QUOTE_V4 : MAX_QUOTE))
  const type = v4 ? ICMP_UNREACHABLE : ICMPV6_UNREACHABLE
  const code = v4 ? PORT_UNREACHABLE_V4 : PORT_UNREACHABLE_V6
  return encodeIcmp(packet.destination, packet.source, type, code, 0, quote)
}

function encodeIcmp(
  source: IpAddress,
  destination: IpAddress,
  type: number,
  code: number,
  rest: number,
  data: Uint8Array,
): Uint8Array {
  const v4 = source.length === 4
  const protocol = v4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6
  const length = ICMP_HEADER_LENGTH + data.length
  const packet = startPacket({ source, destination, protocol }, length)
  const at = ipHeaderLength(source)
  packet[at] = type
  packet[at + 1] = code
  writeU16(packet, at + 4, rest >>> 16)
  writeU16(packet, at + 6, rest)
  packet.set(data, at + ICMP_HEADER_LENGTH)
  // Only the IPv6 one sums the addresses too.
  const pseudo = v4 ? 0 : pseudoHeaderSum(source, destination, protocol, length)
  writeU16(packet, at + 2, internetChecksum(packet, at, packet.length, pseudo))
  return packet
}
