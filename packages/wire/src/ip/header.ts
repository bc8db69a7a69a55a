// Writing IP headers in front of a payload.
import { writeU16 } from '../big-endian.ts'
import type { IpAddress } from './address.ts'
import { internetChecksum } from './checksum.ts'
import { IPV4_HEADER_LENGTH, IPV6_HEADER_LENGTH } from './packet.ts'

/** What an IP header says, for either version; the version follows from the length of the addresses. */
export interface IpHeader {
  /** Who sends. */
  readonly source: IpAddress
  /** Who shall receive; of the same family as `source`. */
  readonly destination: IpAddress
  /** The protocol of the payload. */
  readonly protocol: number
  /** Time to live or hop limit; 64 when not given. */
  readonly hopLimit?: number
  /** The identification of IPv4; 0 when not given. IPv6 has none. */
  readonly identification?: number
  /** The don't-fragment bit of IPv4; clear when not given. IPv6 has none. */
  readonly dontFragment?: boolean
}

const DEFAULT_HOP_LIMIT = 64
const MAX_LENGTH = 65_535

/**
 * Writes an IPv4 header without options, checksum included, to the first 20 bytes of `into` and returns `into`.
 *
 * @throws RangeError when an address is not of 4 bytes or the packet would exceed 65535 bytes.
 */
export function encodeIpv4Header(
  header: IpHeader,
  payloadLength: number,
  into: Uint8Array = new Uint8Array(IPV4_HEADER_LENGTH),
): Uint8Array {
  requireFamily(header, 4)
  requireLength(IPV4_HEADER_LENGTH + payloadLength)
  into[0] = 0x45
  into[1] = 0
  writeU16(into, 2, IPV4_HEADER_LENGTH + payloadLength)
  writeU16(into, 4, header.identification ?? 0)
  writeU16(into, 6, header.dontFragment ? 0x4000 : 0)
  into[8] = header.hopLimit ?? DEFAULT_HOP_LIMIT
  into[9] = header.protocol
  writeU16(into, 10, 0)
  into.set(header.source, 12)
  into.set(header.destination, 16)
  writeU16(into, 10, internetChecksum(into, 0, IPV4_HEADER_LENGTH))
  return into
}

/**
 * Writes an IPv6 base header to the first 40 bytes of `into` and returns `into`.
 *
 * @throws RangeError when an address is not of 16 bytes or the payload would exceed 65535 bytes.
 */
export function encodeIpv6Header(
  header: IpHeader,
  payloadLength: number,
  into: Uint8Array = new Uint8Array(IPV6_HEADER_LENGTH),
): Uint8Array {
  requireFamily(header, 16)
  requireLength(payloadLength)
  into[0] = 0x60
  into.fill(0, 1, 4)
  writeU16(into, 4, payloadLength)
  into[6] = header.protocol
  into[7] = header.hopLimit ?? DEFAULT_HOP_LIMIT
  into.set(header.source, 8)
  into.set(header.destination, 24)
  return into
}

/** Returns how many bytes the header of a packet between such addresses has: 20 or 40. */
export function ipHeaderLength(address: IpAddress): number {
  return address.length === 4 ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH
}

/**
 * Returns a whole packet: header, then the payload copied behind it.
 *
 * @throws RangeError when the families of the addresses differ or the packet would be too long.
 */
export function encodeIpPacket(header: IpHeader, payload: Uint8Array): Uint8Array {
  const packet = startPacket(header, payload.length)
  packet.set(payload, ipHeaderLength(header.source))
  return packet
}

/** Returns a new packet with its header written and room for the payload behind it. */
export function startPacket(header: IpHeader, payloadLength: number): Uint8Array {
  const packet = new Uint8Array(ipHeaderLength(header.source) + payloadLength)
  return header.source.length === 4
    ? encodeIpv4Header(header, payloadLength, packet)
    : encodeIpv6Header(header, payloadLength, packet)
}

function requireFamily(header: IpHeader, length: number): void {
  if (header.source.length === length && header.destination.length === length) return
  throw new RangeError(`source and destination must have ${length} bytes each`)
}

function requireLength(length: number): void {
  if (length > MAX_LENGTH)
    throw new RangeError(`payload makes a packet of ${length} bytes, more than ${MAX_LENGTH}`)
}
