// A host in user space: what the kernel does for the addresses of an interface, for a node that has no interface.
// Packets from the mesh and requests of the program go in; packets to the mesh and news for the program come out.
import type { Machine, RandomSource } from '@mesh/sansio'
import {
  checksumsOk,
  decodeIcmp,
  decodeIcmpEcho,
  decodeUdp,
  encodeIcmpEcho,
  encodeUdpPacket,
  type Endpoint,
  formatAddress,
  ICMP_HEADER_LENGTH,
  ICMP_UNREACHABLE,
  ICMPV6_UNREACHABLE,
  type IpAddress,
  ipHeaderLength,
  IpPacket,
  isLoopback,
  isMulticast,
  isUnspecified,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  UDP_HEADER_LENGTH,
} from '@mesh/wire/ip'
import { NetstackError } from './errors.ts'
import {
  NETSTACK_DROPS,
  type NetstackCounters,
  type NetstackDrop,
  type NetstackOutput,
  type PingId,
  type UdpSocketId,
} from './outputs.ts'
import { OwnAddresses } from './own-addresses.ts'
import { PING_TIMEOUT, Pings } from './pings.ts'
import { quotedFlow } from './quoted-flow.ts'
import { encodeReset, IcmpErrors } from './refusals.ts'
import { type UdpSocket, UdpSockets } from './udp-sockets.ts'

/** How a stack is made. */
export interface NetstackOptions {
  /** The addresses it answers for, first of a family being what it sends from. */
  readonly addresses: readonly IpAddress[]
  /** Randomness for ports and identifiers. */
  readonly random: RandomSource
  /** The largest packet it sends, in bytes. Default 1280. */
  readonly mtu?: number
}

/** What can be said about one ping. */
export interface PingOptions {
  /** How long to wait for the answer, in milliseconds. Default {@link PING_TIMEOUT}. */
  readonly timeout?: number
  /** Bytes of data to carry. Default 56, as `ping` does. */
  readonly size?: number
}

/** A UDP socket that was bound. */
export interface BoundUdp {
  /** Names the socket in further calls and in outputs. */
  readonly socket: UdpSocketId
  /** Its port, also where a free one was asked for. */
  readonly port: number
}

const DEFAULT_MTU = 1_280
const PING_SIZE = 56

/** ICMP and UDP in user space; TCP is refused with a reset. */
export class Netstack implements Machine<NetstackOutput> {
  readonly #out: NetstackOutput[] = []
  readonly #packet = new IpPacket()
  readonly #icmpErrors = new IcmpErrors()
  readonly #pings: Pings
  readonly #udp: UdpSockets
  readonly #mtu: number
  readonly #drops = Object.fromEntries(NETSTACK_DROPS.map((reason) => [reason, 0])) as Record<
    NetstackDrop,
    number
  >
  #own: OwnAddresses
  #packetsIn = 0
  #packetsOut = 0

  constructor({ addresses, random, mtu = DEFAULT_MTU }: NetstackOptions) {
    if (!Number.isInteger(mtu) || mtu < 576 || mtu > 65_535) throw new RangeError(`mtu out of range: ${mtu}`)
    const [high = 0, low = 0] = random(2)
    this.#own = new OwnAddresses(addresses)
    this.#pings = new Pings((high << 8) | low)
    this.#udp = new UdpSockets(random)
    this.#mtu = mtu
  }

  /** Replaces the addresses the stack answers for. Sockets stay; one bound to an address that is gone hears nothing. */
  setAddresses(addresses: readonly IpAddress[]): void {
    this.#own = new OwnAddresses(addresses)
  }

  /** Takes one IP packet from the network; the bytes are only looked at until the outputs are drained. */
  handlePacket(bytes: Uint8Array, now: number): void {
    this.#packetsIn += 1
    const packet = this.#packet
    if (!packet.read(bytes)) return this.#drop('malformed')
    if (!this.#own.has(packet.destination)) return this.#drop('not-ours')
    if (packet.moreFragments || packet.fragmentOffset > 0) return this.#drop('fragment')
    if (!packet.known) return this.#drop('malformed')
    if (!checksumsOk(packet)) return this.#drop('checksum')
    if (!isOneHost(packet.source)) return this.#drop('bad-source')
    if (packet.protocol === PROTOCOL_UDP) return this.#handleUdp(packet, now)
    if (packet.protocol === PROTOCOL_TCP) return this.#handleTcp(packet, now)
    if (packet.protocol === (packet.version === 4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6)) {
      return this.#handleIcmp(packet, now)
    }
    this.#drop('unsupported')
  }

  /**
   * Sends an echo request; a `pong` or a `ping-failed` with the returned number follows.
   *
   * @throws NetstackError `ERR_NETSTACK_NO_ADDRESS` when the node has no address of that family.
   * @throws RangeError when `size` does not fit the MTU.
   */
  ping(to: IpAddress, now: number, { timeout = PING_TIMEOUT, size = PING_SIZE }: PingOptions = {}): PingId {
    const source = this.#sourceFor(to)
    this.#requireFit(to, ICMP_HEADER_LENGTH + size, 'size')
    const data = Uint8Array.from({ length: size }, (_, at) => at & 0xff)
    const { id, sequence } = this.#pings.start(to, now, timeout)
    const echo = { kind: 'request', identifier: this.#pings.identifier, sequence, data } as const
    this.#send(encodeIcmpEcho(source, to, echo), to, now)
    return id
  }

  /**
   * Binds a UDP socket to a port, of one own address or of all of them; port 0 (the default) takes a free one.
   *
   * @throws NetstackError `ERR_NETSTACK_IN_USE`, `ERR_NETSTACK_NOT_OWN_ADDRESS`.
   */
  bindUdp({ address, port = 0 }: { readonly address?: IpAddress; readonly port?: number } = {}): BoundUdp {
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw new RangeError(`port out of range: ${port}`)
    if (address !== undefined && !this.#own.has(address)) {
      throw new NetstackError(
        'ERR_NETSTACK_NOT_OWN_ADDRESS',
        `${formatAddress(address)} is not an address of this node`,
      )
    }
    const { id, port: bound } = this.#udp.bind(address, port)
    return { socket: id, port: bound }
  }

  /**
   * Sends a datagram from a bound socket.
   *
   * @throws NetstackError `ERR_NETSTACK_CLOSED`, `ERR_NETSTACK_NO_ADDRESS`.
   * @throws RangeError when the payload does not fit the MTU; there is no fragmentation.
   */
  sendUdp(socket: UdpSocketId, to: Endpoint, payload: Uint8Array, now: number): void {
    const { address, port } = this.#udp.get(socket)
    const source = address?.length === to.address.length ? address : this.#sourceFor(to.address)
    this.#requireFit(to.address, UDP_HEADER_LENGTH + payload.length, 'payload')
    this.#send(encodeUdpPacket({ address: source, port }, to, payload), to.address, now)
  }

  /** Closes a UDP socket. Harmless when it is closed. */
  closeUdp(socket: UdpSocketId): void {
    this.#udp.close(socket)
  }

  /** Gives up pings whose time is over. */
  handleTimeout(now: number): void {
    this.#out.push(...this.#pings.expire(now))
  }

  /** Returns the next thing to do, or `undefined` when drained. */
  poll(): NetstackOutput | undefined {
    return this.#out.shift()
  }

  /** Returns when to call {@link Netstack.handleTimeout}; `Infinity` means never. */
  pollTimeout(): number {
    return this.#pings.nextDeadline()
  }

  /** Returns the counts so far. */
  counters(): NetstackCounters {
    return { packetsIn: this.#packetsIn, packetsOut: this.#packetsOut, drops: { ...this.#drops } }
  }

  #handleUdp(packet: IpPacket, now: number): void {
    const segment = decodeUdp(packet.payload)
    if (segment === undefined) return this.#drop('malformed')
    const socket = this.#udp.find(packet.destination, segment.destinationPort)
    if (socket === undefined) return this.#refuse(this.#icmpErrors.portUnreachable(packet, now), packet, now)
    this.#out.push({
      kind: 'datagram',
      socket: socket.id,
      from: { address: packet.source.slice(), port: segment.sourcePort },
      to: { address: packet.destination.slice(), port: segment.destinationPort },
      payload: segment.payload,
    })
  }

  #handleTcp(packet: IpPacket, now: number): void {
    this.#refuse(encodeReset(packet), packet, now)
  }

  #handleIcmp(packet: IpPacket, now: number): void {
    const echo = decodeIcmpEcho(packet)
    if (echo === undefined) return this.#handleIcmpError(packet)
    if (echo.kind === 'request') {
      const reply = encodeIcmpEcho(packet.destination, packet.source, { ...echo, kind: 'reply' })
      return this.#send(reply, packet.source, now)
    }
    const pong = this.#pings.finish(echo, packet.source, now)
    if (pong === undefined) return this.#drop('no-listener')
    this.#out.push(pong)
  }

  /** An error counts only when it quotes something that this very stack sent. */
  #handleIcmpError(packet: IpPacket): void {
    const message = decodeIcmp(packet.payload)
    const unreachable = packet.version === 4 ? ICMP_UNREACHABLE : ICMPV6_UNREACHABLE
    const flow = message?.type === unreachable ? quotedFlow(message.body.subarray(4)) : undefined
    if (flow === undefined) return this.#drop('unsupported')
    if (!this.#own.has(flow.source)) return this.#drop('no-listener')
    const output = this.#resultOf(flow)
    if (output === undefined) return this.#drop('no-listener')
    this.#out.push(output)
  }

  #resultOf(flow: NonNullable<ReturnType<typeof quotedFlow>>): NetstackOutput | undefined {
    if (flow.kind === 'echo') return this.#pings.refuse(flow.identifier, flow.sequence, flow.destination)
    const socket: UdpSocket | undefined = this.#udp.find(flow.source, flow.sourcePort)
    if (socket === undefined) return undefined
    const to = { address: flow.destination.slice(), port: flow.destinationPort }
    return { kind: 'unreachable', socket: socket.id, to }
  }

  #refuse(answer: Uint8Array | undefined, packet: IpPacket, now: number): void {
    this.#drop('no-listener')
    if (answer !== undefined) this.#send(answer, packet.source, now)
  }

  /** Packets to an own address never leave: they come in again at once. */
  #send(packet: Uint8Array, to: IpAddress, now: number): void {
    if (this.#own.has(to)) return this.handlePacket(packet, now)
    this.#packetsOut += 1
    this.#out.push({ kind: 'packet', packet })
  }

  #sourceFor(to: IpAddress): IpAddress {
    const source = this.#own.has(to) ? to : this.#own.sourceFor(to)
    if (source !== undefined) return source
    throw new NetstackError(
      'ERR_NETSTACK_NO_ADDRESS',
      `this node has no address to reach ${formatAddress(to)} from`,
    )
  }

  #requireFit(to: IpAddress, length: number, argument: string): void {
    const room = this.#mtu - ipHeaderLength(to)
    if (length > room) throw new RangeError(`${argument} makes ${length} bytes where the MTU leaves ${room}`)
  }

  #drop(reason: NetstackDrop): void {
    this.#drops[reason] += 1
  }
}

/** Whether an answer to this source goes to one host, and not to many or to ourselves by a detour. */
function isOneHost(source: IpAddress): boolean {
  return !isMulticast(source) && !isUnspecified(source) && !isLoopback(source)
}
