// The address by which one peer knows this node, where that is not its own: it stands in the place of the own address in
// packets to that peer, and gives way to it in packets from there (data-plane.md section 7.7). Checksums are corrected by
// what has changed under them, so a packet costs the same whatever its length, and a super-packet is one packet.
import {
  correctChecksum,
  foldChecksum,
  type IpAddress,
  type IpPacket,
  IPV4_HEADER_LENGTH,
  IPV6_HEADER_LENGTH,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  sumWords,
} from '@mesh/wire/ip'

const TCP_CHECKSUM = 16
const UDP_CHECKSUM = 6
const ICMP_CHECKSUM = 2
const IPV4_CHECKSUM = 10
const IPV4_SOURCE = 12
const IPV6_SOURCE = 8
/** Bytes of an ICMP error before the packet that it quotes. */
const ICMP_QUOTE = 8

/** Two addresses of one family, of which a peer knows the second. */
export class Masquerade {
  readonly #own: IpAddress
  readonly #shown: IpAddress
  /** What a checksum over the own address must be corrected by when the shown one takes its place, and the other way round. */
  readonly #toShown: number
  readonly #toOwn: number

  /** `own` is this node's address, `shown` the one by which the peer knows it. Both are kept. */
  constructor(own: IpAddress, shown: IpAddress) {
    this.#own = own
    this.#shown = shown
    this.#toShown = foldedSum(shown) + foldChecksum(sumWords(own, 0, own.length))
    this.#toOwn = foldedSum(own) + foldChecksum(sumWords(shown, 0, shown.length))
  }

  /** Rewrites a packet to the peer, if it comes from the own address. */
  leave(packet: IpPacket): void {
    if (!packet.isFrom(this.#own)) return
    replace(packet, packet.sourceOffset, this.#shown, this.#toShown)
    if (quotes(packet)) replaceQuoted(packet, packet.addressLength, this.#own, this.#shown, this.#toShown)
  }

  /** Rewrites a packet from the peer, if it is for the shown address; returns whether it was. */
  arrive(packet: IpPacket): boolean {
    if (!packet.isFor(this.#shown)) return false
    replace(packet, packet.destinationOffset, this.#own, this.#toOwn)
    if (quotes(packet)) replaceQuoted(packet, 0, this.#shown, this.#own, this.#toOwn)
    return true
  }
}

function foldedSum(address: IpAddress): number {
  return ~foldChecksum(sumWords(address, 0, address.length)) & 0xffff
}

function holds(bytes: Uint8Array, at: number, address: IpAddress): boolean {
  for (let i = 0; i < address.length; i += 1) if (bytes[at + i] !== address[i]) return false
  return true
}

function write(bytes: Uint8Array, at: number, address: IpAddress): void {
  for (let i = 0; i < address.length; i += 1) bytes[at + i] = address[i]!
}

function replace(packet: IpPacket, at: number, address: IpAddress, difference: number): void {
  const { bytes, start } = packet
  write(bytes, at, address)
  if (packet.version === 4) correctChecksum(bytes, start + IPV4_CHECKSUM, difference)
  correctTransport(packet, difference)
}

/** Corrects the checksum that has the addresses in its pseudo header; of fragments the first has it. */
function correctTransport(packet: IpPacket, difference: number): void {
  const field = checksumField(packet)
  if (packet.fragmentOffset > 0 || field < 0) return
  const at = packet.start + packet.payloadOffset + field
  if (at + 2 > packet.start + packet.totalLength) return
  const { bytes, protocol } = packet
  const isNone = protocol === PROTOCOL_UDP && bytes[at] === 0 && bytes[at + 1] === 0
  if (isNone) return
  correctChecksum(bytes, at, difference)
  // To UDP zero says that there is none (RFC 768).
  if (protocol === PROTOCOL_UDP && bytes[at] === 0 && bytes[at + 1] === 0) bytes[at] = bytes[at + 1] = 0xff
}

function checksumField({ protocol, version }: IpPacket): number {
  if (protocol === PROTOCOL_TCP) return TCP_CHECKSUM
  if (protocol === PROTOCOL_UDP) return UDP_CHECKSUM
  return protocol === PROTOCOL_ICMPV6 && version === 6 ? ICMP_CHECKSUM : -1
}

/** Whether it is an ICMP error, which quotes the packet that it is about: unreachable, too big, time exceeded, bad parameter. */
function quotes({ version, protocol, icmpType, fragmentOffset }: IpPacket): boolean {
  if (fragmentOffset > 0) return false
  if (version === 6) return protocol === PROTOCOL_ICMPV6 && icmpType >= 1 && icmpType <= 4
  return protocol === PROTOCOL_ICMP && (icmpType === 3 || icmpType === 11 || icmpType === 12)
}

/**
 * Rewrites the quoted packet, without which a host does not know whose error it is: its source, or the address `beyond` bytes
 * behind that. In IPv4 its header has a checksum of its own, and what is written there and in the address cancels out in the
 * checksum of ICMP. The checksum of the quoted transport, of which nobody has the whole, is left alone.
 */
function replaceQuoted(
  packet: IpPacket,
  beyond: number,
  from: IpAddress,
  to: IpAddress,
  difference: number,
): void {
  const { bytes, start, version } = packet
  const icmp = start + packet.payloadOffset
  const at = icmp + ICMP_QUOTE
  const headerLength = version === 4 ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH
  if (at + headerLength > start + packet.totalLength || bytes[at]! >> 4 !== version) return
  const address = at + (version === 4 ? IPV4_SOURCE : IPV6_SOURCE) + beyond
  if (!holds(bytes, address, from)) return
  write(bytes, address, to)
  correctChecksum(bytes, version === 4 ? at + IPV4_CHECKSUM : icmp + ICMP_CHECKSUM, difference)
}
