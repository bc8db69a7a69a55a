// What answers at 100.100.100.100 and its IPv6 twin: echoes and DNS, from here; nothing for them ever leaves the
// node (data-plane.md sections 7.7 and 8.3, checklist F7). UDP to other ports meets silence, TCP a reset.
import { type DnsResolver, SERVICE_ADDRESS, SERVICE_ADDRESS_V6 } from '@mesh/dns'
import {
  decodeIcmpEcho,
  decodeTcp,
  decodeUdp,
  encodeIcmpEcho,
  encodeTcpPacket,
  encodeUdpPacket,
  type IpPacket,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
  type TcpHeader,
  type TcpSegment,
} from '@mesh/wire/ip'

const DNS_PORT = 53
/** Queries passed on at the same time; those beyond are dropped, and asked again (data-plane.md section 8.9). */
const MAX_QUERIES = 256

/** Passes a query on to other resolvers; `undefined` when none of them answered. */
export type ForwardQuery = (
  query: Uint8Array,
  resolvers: readonly string[],
) => Promise<Uint8Array | undefined>

/** Answers packets for the service addresses. */
export class ServiceAddress {
  readonly #dns: DnsResolver
  readonly #answer: (packet: Uint8Array) => void
  readonly #forward: ForwardQuery | undefined
  /** Queries that other resolvers have been asked. */
  #waiting = 0

  /** `answer` takes a packet for the host; without `forward` only the names of the mesh are answered. */
  constructor(dns: DnsResolver, answer: (packet: Uint8Array) => void, forward?: ForwardQuery) {
    this.#dns = dns
    this.#answer = answer
    this.#forward = forward
  }

  /** Takes a packet for a service address. Views of it are not kept. */
  handle(packet: IpPacket): void {
    if (packet.protocol === PROTOCOL_UDP) this.#handleUdp(packet)
    else if (packet.protocol === PROTOCOL_TCP) this.#handleTcp(packet)
    else this.#handleEcho(packet)
  }

  #handleEcho(packet: IpPacket): void {
    const echo = decodeIcmpEcho(packet)
    if (echo?.kind !== 'request') return
    this.#answer(encodeIcmpEcho(packet.destination, packet.source, { ...echo, kind: 'reply' }))
  }

  #handleUdp(packet: IpPacket): void {
    const segment = packet.fragmentOffset > 0 ? undefined : decodeUdp(packet.payload)
    if (segment?.destinationPort !== DNS_PORT) return
    const from = { address: packet.destination.slice(), port: DNS_PORT }
    const to = { address: packet.source.slice(), port: segment.sourcePort }
    const reply = (message: Uint8Array): void => this.#answer(encodeUdpPacket(from, to, message))
    const outcome = this.#dns.handleQuery(segment.payload)
    if (outcome.kind === 'answer') reply(outcome.message)
    // Each that waits has sockets of its own: a program that asks without end must not take them all.
    if (outcome.kind !== 'forward' || !this.#forward || this.#waiting === MAX_QUERIES) return
    this.#waiting += 1
    const settle = (message?: Uint8Array): void => {
      this.#waiting -= 1
      if (message) reply(message)
    }
    this.#forward(segment.payload.slice(), outcome.resolvers).then(settle, () => settle())
  }

  /** No TCP service is offered here yet: a connection is refused at once rather than left to time out. */
  #handleTcp(packet: IpPacket): void {
    const segment = packet.fragmentOffset > 0 ? undefined : decodeTcp(packet.payload)
    if (!segment || segment.flags & TCP_RST) return
    const from = { address: packet.destination, port: segment.destinationPort }
    const to = { address: packet.source, port: segment.sourcePort }
    this.#answer(encodeTcpPacket(from, to, resetFor(segment)))
  }
}

/** Tells whether a packet is for a service address. */
export function isForService(packet: IpPacket): boolean {
  return packet.isFor(packet.version === 4 ? SERVICE_ADDRESS : SERVICE_ADDRESS_V6)
}

/** The reset a segment to a closed port is owed (RFC 9293 section 3.5.2). */
function resetFor(segment: TcpSegment): TcpHeader {
  if (segment.flags & TCP_ACK) {
    return { sequence: segment.acknowledgment, acknowledgment: 0, flags: TCP_RST, window: 0 }
  }
  const counted =
    (segment.flags & TCP_SYN ? 1 : 0) + (segment.flags & TCP_FIN ? 1 : 0) + segment.payload.length
  return {
    sequence: 0,
    acknowledgment: (segment.sequence + counted) >>> 0,
    flags: TCP_RST | TCP_ACK,
    window: 0,
  }
}
