// Reading an IP packet where it lies. One reusable view holds numbers only, so the packet path reads a million
// packets with one object; what it refuses to understand is what a filter must not guess about.
import { readU16 } from '../big-endian.ts'
import type { IpAddress } from './address.ts'
import {
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_IGMP,
  PROTOCOL_IPV6_FRAGMENT,
  PROTOCOL_SCTP,
  PROTOCOL_TCP,
  PROTOCOL_TSMP,
  PROTOCOL_UDP,
} from './protocol.ts'

/** Bytes of an IPv4 header without options. */
export const IPV4_HEADER_LENGTH = 20
/** Bytes of the IPv6 base header. */
export const IPV6_HEADER_LENGTH = 40

const IPV6_FRAGMENT_LENGTH = 8
/** A later fragment may not start within the reach of a transport header: 10 blocks of 8 bytes. */
const MIN_LATER_FRAGMENT = 80
const PROTOCOL_RESERVED = 255

/** The shortest whole header of the transports that are looked into, by protocol number. */
const TRANSPORT_LENGTH: Readonly<Record<number, number>> = {
  [PROTOCOL_ICMP]: 4,
  [PROTOCOL_ICMPV6]: 4,
  [PROTOCOL_IGMP]: 8,
  [PROTOCOL_TCP]: 20,
  [PROTOCOL_UDP]: 8,
  [PROTOCOL_SCTP]: 12,
  [PROTOCOL_TSMP]: 7,
}

/**
 * A view of one IP packet's headers, to be read again and again with {@link IpPacket.read}.
 *
 * Addresses and payload are views of the packet, made when asked for. After a failed `read` the fields mean nothing.
 */
export class IpPacket {
  /** The bytes given to {@link IpPacket.read}. */
  bytes: Uint8Array = new Uint8Array(0)
  /** Where in {@link IpPacket.bytes} the packet begins. */
  start = 0
  /** 4 or 6. */
  version: 4 | 6 = 4
  /** The protocol of the payload: for IPv6, of what follows the fragment header if there is one. */
  protocol = 0
  /** Where in the packet the payload starts. */
  payloadOffset = 0
  /** Bytes of the packet as its header says: what lies beyond is padding. */
  totalLength = 0
  /** Time to live, or hop limit. */
  hopLimit = 0
  /** Where this fragment belongs in the whole payload, in bytes; 0 for the first and for a whole packet. */
  fragmentOffset = 0
  /** True when more fragments follow. */
  moreFragments = false
  /**
   * False when a filter cannot tell what the packet is: a transport header cut short, a later fragment that reaches
   * back into one, IPv6 extension headers other than one fragment header, protocol 255, a fragment of TSMP.
   */
  known = false
  /** Source port of TCP, UDP and SCTP; else 0. */
  sourcePort = 0
  /** Destination port of TCP, UDP and SCTP; else 0. */
  destinationPort = 0
  /** The flags byte of TCP; else 0. */
  tcpFlags = 0
  /** The type byte of ICMP, of the version's own kind; else -1. */
  icmpType = -1

  /**
   * Reads the headers of the packet that begins at `start` of `bytes` and has up to `length` bytes there; returns false when
   * it is no IP packet: too short, a wrong version, or a length that it does not have. Checksums are not looked at.
   */
  read(bytes: Uint8Array, start = 0, length: number = bytes.length - start): boolean {
    this.bytes = bytes
    this.start = start
    this.known = false
    this.sourcePort = this.destinationPort = this.tcpFlags = 0
    this.icmpType = -1
    const version = length > 0 ? bytes[start]! >> 4 : 0
    if (version === 4) return this.#readIpv4(bytes, start, length)
    if (version === 6) return this.#readIpv6(bytes, start, length)
    return false
  }

  /** Bytes of an address: 4 or 16. */
  get addressLength(): number {
    return this.version === 4 ? 4 : 16
  }

  /** Where in {@link IpPacket.bytes} the source address stands. */
  get sourceOffset(): number {
    return this.start + (this.version === 4 ? 12 : 8)
  }

  /** Where in {@link IpPacket.bytes} the destination address stands. */
  get destinationOffset(): number {
    return this.start + (this.version === 4 ? 16 : 24)
  }

  /** The source address, a view. */
  get source(): IpAddress {
    return this.bytes.subarray(this.sourceOffset, this.sourceOffset + this.addressLength)
  }

  /** The destination address, a view. */
  get destination(): IpAddress {
    return this.bytes.subarray(this.destinationOffset, this.destinationOffset + this.addressLength)
  }

  /** Tells whether the destination is this address, without a view. */
  isFor(address: IpAddress): boolean {
    return address.length === this.addressLength && this.#holds(address, this.destinationOffset)
  }

  /** Tells whether the source is this address, without a view. */
  isFrom(address: IpAddress): boolean {
    return address.length === this.addressLength && this.#holds(address, this.sourceOffset)
  }

  /** What the packet carries, without padding, a view. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.start + this.payloadOffset, this.start + this.totalLength)
  }

  #holds(address: IpAddress, at: number): boolean {
    for (let i = 0; i < address.length; i += 1) if (this.bytes[at + i] !== address[i]) return false
    return true
  }

  #readIpv4(bytes: Uint8Array, start: number, length: number): boolean {
    if (length < IPV4_HEADER_LENGTH) return false
    const headerLength = (bytes[start]! & 0x0f) * 4
    const totalLength = readU16(bytes, start + 2)
    if (headerLength < IPV4_HEADER_LENGTH || totalLength < headerLength || totalLength > length) return false
    const fragment = readU16(bytes, start + 6)
    this.version = 4
    this.hopLimit = bytes[start + 8]!
    this.protocol = bytes[start + 9]!
    this.payloadOffset = headerLength
    this.totalLength = totalLength
    this.fragmentOffset = (fragment & 0x1fff) * 8
    this.moreFragments = (fragment & 0x2000) !== 0
    this.#readTransport(bytes, start + headerLength)
    return true
  }

  #readIpv6(bytes: Uint8Array, start: number, length: number): boolean {
    if (length < IPV6_HEADER_LENGTH) return false
    const totalLength = IPV6_HEADER_LENGTH + readU16(bytes, start + 4)
    if (totalLength > length) return false
    this.version = 6
    this.protocol = bytes[start + 6]!
    this.hopLimit = bytes[start + 7]!
    this.payloadOffset = IPV6_HEADER_LENGTH
    this.totalLength = totalLength
    this.fragmentOffset = 0
    this.moreFragments = false
    const at = start + IPV6_HEADER_LENGTH
    if (this.protocol === PROTOCOL_IPV6_FRAGMENT && !this.#readFragmentHeader(bytes, at)) return true
    this.#readTransport(bytes, start + this.payloadOffset)
    return true
  }

  #readFragmentHeader(bytes: Uint8Array, at: number): boolean {
    if (this.totalLength < IPV6_HEADER_LENGTH + IPV6_FRAGMENT_LENGTH) return false
    const fragment = readU16(bytes, at + 2)
    this.protocol = bytes[at]!
    this.payloadOffset = IPV6_HEADER_LENGTH + IPV6_FRAGMENT_LENGTH
    this.fragmentOffset = fragment & 0xfff8
    this.moreFragments = (fragment & 1) !== 0
    return true
  }

  #readTransport(bytes: Uint8Array, at: number): void {
    const protocol = this.protocol
    if (protocol === PROTOCOL_RESERVED || this.#isExtension(protocol)) return
    const isFragment = this.moreFragments || this.fragmentOffset > 0
    if (isFragment && protocol === PROTOCOL_TSMP) return
    if (this.fragmentOffset > 0) {
      this.known = this.fragmentOffset >= MIN_LATER_FRAGMENT
      return
    }
    if (this.totalLength - this.payloadOffset < (TRANSPORT_LENGTH[protocol] ?? 0)) return
    this.known = true
    if (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP || protocol === PROTOCOL_SCTP) {
      this.sourcePort = readU16(bytes, at)
      this.destinationPort = readU16(bytes, at + 2)
      if (protocol === PROTOCOL_TCP) this.tcpFlags = bytes[at + 13]!
    } else if (protocol === (this.version === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6)) {
      this.icmpType = bytes[at]!
    }
  }

  /** The IPv6 extension headers of IANA's list: hop-by-hop, routing, fragment, ESP, AH, options, mobility, HIP, shim6. */
  #isExtension(protocol: number): boolean {
    if (this.version === 4) return false
    switch (protocol) {
      case 0:
      case 43:
      case 44:
      case 50:
      case 51:
      case 60:
      case 135:
      case 139:
      case 140:
        return true
      default:
        return false
    }
  }
}

/**
 * Returns a view of an IP packet's headers, or `undefined` when the bytes are no IP packet.
 *
 * Makes one object; on the packet path keep one {@link IpPacket} and call its `read`.
 */
export function decodeIpPacket(packet: Uint8Array): IpPacket | undefined {
  const view = new IpPacket()
  return view.read(packet) ? view : undefined
}

/**
 * Returns the length that the IP header claims, or -1 when there is no whole header of version 4 or 6, or it claims
 * less than itself. The claim may exceed `packet.length`: compare before trusting it. Allocates nothing.
 */
export function ipTotalLength(packet: Uint8Array): number {
  if (packet.length < IPV4_HEADER_LENGTH) return -1
  const version = packet[0]! >> 4
  if (version === 4) {
    const total = readU16(packet, 2)
    const header = (packet[0]! & 0x0f) * 4
    return header < IPV4_HEADER_LENGTH || total < header ? -1 : total
  }
  if (version === 6 && packet.length >= IPV6_HEADER_LENGTH) return IPV6_HEADER_LENGTH + readU16(packet, 4)
  return -1
}
