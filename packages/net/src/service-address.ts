// What answers at 100.100.100.100 and its IPv6 twin: echoes and DNS, from here; nothing for them ever leaves the
// node (data-plane.md sections 7.7 and 8.3, checklist F7, F8). UDP to other ports meets silence, TCP a reset.
import { type DnsResolver, SERVICE_ADDRESS, SERVICE_ADDRESS_V6, serverFailure } from '@mesh/dns'
import type { Clock, RandomSource } from '@mesh/sansio'
import {
  decodeIcmpEcho,
  decodeUdp,
  encodeIcmpEcho,
  encodeUdpPacket,
  type IpPacket,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
} from '@mesh/wire/ip'
import { type AnswerQuery, DnsOverTcp } from './dns-over-tcp.ts'

const DNS_PORT = 53
/** Queries passed on at the same time; those beyond are dropped, and asked again (data-plane.md section 8.9). */
const MAX_QUERIES = 256

/** How a query came, and is to be passed on. */
export type DnsTransport = 'udp' | 'tcp'

/**
 * Passes a query on to other resolvers; `undefined` when none of them answered. Who asked over TCP wants an answer that UDP may
 * have no room for.
 */
export type ForwardQuery = (
  query: Uint8Array,
  resolvers: readonly string[],
  transport: DnsTransport,
) => Promise<Uint8Array | undefined>

/** What the service addresses are made of. */
export interface ServiceAddressOptions {
  /** Answers the names of the mesh. */
  readonly dns: DnsResolver
  readonly clock: Clock
  readonly random: RandomSource
  /** Takes a packet for the host. */
  readonly toHost: (packet: Uint8Array) => void
  /** Passes queries for other names on; without it only the names of the mesh are answered. */
  readonly forward?: ForwardQuery | undefined
}

/** Answers packets for the service addresses. */
export class ServiceAddress {
  readonly #dns: DnsResolver
  readonly #toHost: (packet: Uint8Array) => void
  readonly #forward: ForwardQuery | undefined
  readonly #tcp: DnsOverTcp
  /** Queries that other resolvers have been asked. */
  #waiting = 0

  constructor({ dns, clock, random, toHost, forward }: ServiceAddressOptions) {
    this.#dns = dns
    this.#toHost = toHost
    this.#forward = forward
    const answer: AnswerQuery = (query, reply) => this.#answer(query, 'tcp', reply)
    this.#tcp = new DnsOverTcp({ clock, random, toHost, answer })
  }

  /** Takes a packet for a service address. Views of it are not kept. */
  handle(packet: IpPacket): void {
    const { bytes, start, totalLength, protocol } = packet
    if (protocol === PROTOCOL_UDP) this.#handleUdp(packet)
    else if (protocol === PROTOCOL_TCP) this.#tcp.handlePacket(bytes.subarray(start, start + totalLength))
    else this.#handleEcho(packet)
  }

  /** Ends its timers. */
  close(): void {
    this.#tcp.close()
  }

  #handleEcho(packet: IpPacket): void {
    const echo = decodeIcmpEcho(packet)
    if (echo?.kind !== 'request') return
    this.#toHost(encodeIcmpEcho(packet.destination, packet.source, { ...echo, kind: 'reply' }))
  }

  #handleUdp(packet: IpPacket): void {
    const segment = packet.fragmentOffset > 0 ? undefined : decodeUdp(packet.payload)
    if (segment?.destinationPort !== DNS_PORT) return
    const from = { address: packet.destination.slice(), port: DNS_PORT }
    const to = { address: packet.source.slice(), port: segment.sourcePort }
    this.#answer(segment.payload, 'udp', (message) => {
      if (message) this.#toHost(encodeUdpPacket(from, to, message))
    })
  }

  #answer(query: Uint8Array, transport: DnsTransport, reply: Parameters<AnswerQuery>[1]): void {
    const outcome = this.#dns.handleQuery(query, { transport })
    if (outcome.kind === 'answer') return reply(outcome.message)
    // Each that waits has sockets of its own: a program that asks without end must not take them all.
    if (outcome.kind === 'drop' || !this.#forward || this.#waiting === MAX_QUERIES) return reply(undefined)
    this.#waiting += 1
    const asked = query.slice()
    const settle = (message?: Uint8Array): void => {
      this.#waiting -= 1
      reply(message ?? serverFailure(asked))
    }
    this.#forward(asked, outcome.resolvers, transport).then(settle, () => settle())
  }
}

/** Tells whether a packet is for a service address. */
export function isForService(packet: IpPacket): boolean {
  return packet.isFor(packet.version === 4 ? SERVICE_ADDRESS : SERVICE_ADDRESS_V6)
}
