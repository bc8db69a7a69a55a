// What the filter reads of a packet: one object, read into again for each packet. Bounds follow data-plane §7.1: a
// first fragment must hold the whole transport header; later fragments carry none; any IPv6 extension header but the
// fragment header is unknown, and unknown is refused.

/** Number of 32-bit words of a flow's key: ports, then the local and the remote address, 4 words each, then protocol. */
export const FLOW_KEY_WORDS = 10

const PROTOCOL_ICMP = 1
const PROTOCOL_TCP = 6
const PROTOCOL_UDP = 17
const PROTOCOL_IPV6_FRAGMENT = 44
const PROTOCOL_ICMPV6 = 58
const PROTOCOL_TSMP = 99
const PROTOCOL_SCTP = 132
const PROTOCOL_RESERVED = 255
/** IPv6 extension headers, which the filter does not look behind. */
const EXTENSION_HEADERS = new Set([0, 43, 50, 51, 60, 135, 139, 140])
/** Fragment offsets below this many 8-byte blocks could overwrite the transport header. */
const MIN_FRAGMENT_BLOCKS = 10
/** Least transport header by protocol, in bytes. */
const LEAST_HEADER: Readonly<Record<number, number>> = { 1: 4, 2: 8, 6: 20, 17: 8, 58: 4, 99: 7, 132: 12 }
const TCP_FLAGS = 13
const TCP_SYN = 0x02
const TCP_ACK = 0x10
/** Echo reply, unreachable, time exceeded, parameter problem. */
const ICMP_ANSWERS = new Set([0, 3, 11, 12])
/** Unreachable, too big, time exceeded, parameter problem, echo reply. */
const ICMPV6_ANSWERS = new Set([1, 2, 3, 4, 129])

/** Reads the fields of one packet at a time. Fields are valid until the next {@link PacketView.read}. */
export class PacketView {
  version = 0
  protocol = 0
  sourceAt = 0
  destinationAt = 0
  addressLength = 0
  sourcePort = 0
  destinationPort = 0
  laterFragment = false
  opensTcp = false
  isIcmp = false
  isIcmpAnswer = false
  readonly #key = new Uint32Array(FLOW_KEY_WORDS)

  /** Reads a packet; returns false when it is malformed or carries what the filter does not understand. */
  read(packet: Uint8Array): boolean {
    if (packet.length < 20) return false
    this.version = (packet[0] as number) >> 4
    if (this.version === 4) return this.#readV4(packet)
    return this.version === 6 && this.#readV6(packet)
  }

  /** Tells whether the destination is a multicast group. */
  isMulticast(packet: Uint8Array): boolean {
    const first = packet[this.destinationAt] as number
    return this.version === 4 ? first >> 4 === 0xe : first === 0xff
  }

  /** Tells whether the destination is link-local, but for the cloud metadata address 169.254.169.254. */
  isLinkLocal(packet: Uint8Array): boolean {
    const at = this.destinationAt
    if (this.version === 6) return packet[at] === 0xfe && ((packet[at + 1] as number) & 0xc0) === 0x80
    return packet[at] === 169 && packet[at + 1] === 254 && !(packet[at + 2] === 169 && packet[at + 3] === 254)
  }

  /** Returns the flow's key, the same for a packet and for its answer. The array is reused by the next call. */
  flowKey(packet: Uint8Array, direction: 'inbound' | 'outbound'): Uint32Array {
    const inbound = direction === 'inbound'
    const localPort = inbound ? this.destinationPort : this.sourcePort
    const remotePort = inbound ? this.sourcePort : this.destinationPort
    this.#key[0] = localPort * 65536 + remotePort
    this.#key[1] = this.protocol
    this.#writeAddress(2, packet, inbound ? this.destinationAt : this.sourceAt)
    this.#writeAddress(6, packet, inbound ? this.sourceAt : this.destinationAt)
    return this.#key
  }

  #readV4(packet: Uint8Array): boolean {
    const headerLength = ((packet[0] as number) & 15) * 4
    const total = read16(packet, 2)
    if (headerLength < 20 || total < headerLength || total > packet.length) return false
    this.#place(12, 16, 4, packet[9] as number)
    const fragment = read16(packet, 6)
    const blocks = fragment & 0x1fff
    if (blocks > 0) return this.#readLaterFragment(blocks)
    if (this.protocol === PROTOCOL_TSMP && fragment & 0x2000) return false
    return this.#readTransport(packet, headerLength, total)
  }

  #readV6(packet: Uint8Array): boolean {
    if (packet.length < 40) return false
    const total = 40 + read16(packet, 4)
    if (total > packet.length) return false
    this.#place(8, 24, 16, packet[6] as number)
    if (this.protocol !== PROTOCOL_IPV6_FRAGMENT) return this.#readTransport(packet, 40, total)
    if (total < 48) return false
    this.protocol = packet[40] as number
    const blocks = read16(packet, 42) >> 3
    return blocks > 0 ? this.#readLaterFragment(blocks) : this.#readTransport(packet, 48, total)
  }

  #place(sourceAt: number, destinationAt: number, addressLength: number, protocol: number): void {
    this.sourceAt = sourceAt
    this.destinationAt = destinationAt
    this.addressLength = addressLength
    this.protocol = protocol
    this.sourcePort = 0
    this.destinationPort = 0
    this.laterFragment = false
    this.opensTcp = false
    this.isIcmp = protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6
    this.isIcmpAnswer = false
  }

  #readLaterFragment(blocks: number): boolean {
    this.laterFragment = true
    return blocks >= MIN_FRAGMENT_BLOCKS
  }

  #readTransport(packet: Uint8Array, at: number, total: number): boolean {
    const { protocol } = this
    if (protocol === PROTOCOL_RESERVED) return false
    if (this.version === 6 && (EXTENSION_HEADERS.has(protocol) || protocol === PROTOCOL_IPV6_FRAGMENT))
      return false
    if (total - at < (LEAST_HEADER[protocol] ?? 0)) return false
    if (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP || protocol === PROTOCOL_SCTP) {
      this.sourcePort = read16(packet, at)
      this.destinationPort = read16(packet, at + 2)
    }
    if (protocol === PROTOCOL_TCP) {
      this.opensTcp = ((packet[at + TCP_FLAGS] as number) & (TCP_SYN | TCP_ACK)) === TCP_SYN
    }
    if (this.isIcmp) return this.#readIcmp(packet[at] as number)
    return true
  }

  /** ICMP of one family inside the other has no meaning, and is refused. */
  #readIcmp(type: number): boolean {
    const ofThisFamily = (this.protocol === PROTOCOL_ICMP) === (this.version === 4)
    this.isIcmpAnswer = (this.version === 4 ? ICMP_ANSWERS : ICMPV6_ANSWERS).has(type)
    return ofThisFamily
  }

  #writeAddress(word: number, packet: Uint8Array, at: number): void {
    for (let i = 0; i < 4; i += 1) {
      this.#key[word + i] =
        i * 4 < this.addressLength ? read16(packet, at + i * 4) * 65536 + read16(packet, at + i * 4 + 2) : 0
    }
  }
}

function read16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}
