// A host in user space: what the kernel does for the addresses of an interface, for a node that has no interface.
// Packets from the mesh and requests of the program go in; packets to the mesh and news for the program come out.
import type { Machine, RandomSource } from '@mesh/sansio'
import {
  checksumsOk,
  decodeIcmp,
  decodeIcmpEcho,
  decodeUdp,
  encodeIcmpEcho,
  encodeTcpPacket,
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
  type TcpConnectionId,
  type TcpListenerId,
  type UdpSocketId,
} from './outputs.ts'
import { OwnAddresses } from './own-addresses.ts'
import { PING_TIMEOUT, Pings } from './pings.ts'
import { quotedFlow } from './quoted-flow.ts'
import { encodeReset, IcmpErrors } from './refusals.ts'
import { PortTable } from './port-table.ts'
import { TcpTable } from './tcp/tcp-table.ts'

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

/** A TCP listener that was made. */
export interface BoundTcp {
  /** Names the listener in further calls and in outputs. */
  readonly listener: TcpListenerId
  /** Its port, also where a free one was asked for. */
  readonly port: number
}

/** Where to be bound. */
export interface BindOptions {
  /** One own address; all of them when left out. */
  readonly address?: IpAddress
  /** The port; 0 or left out for a free one. */
  readonly port?: number
}

const DEFAULT_MTU = 1_280
const PING_SIZE = 56

/** ICMP, UDP and TCP in user space. */
export class Netstack implements Machine<NetstackOutput> {
  readonly #out: NetstackOutput[] = []
  readonly #packet = new IpPacket()
  readonly #icmpErrors = new IcmpErrors()
  readonly #pings: Pings
  readonly #udp: PortTable
  readonly #tcp: TcpTable
  readonly #looped: Uint8Array[] = []
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
    this.#udp = new PortTable('UDP', random)
    this.#tcp = new TcpTable(
      random,
      mtu,
      (from, to, header, payload) => this.#send(encodeTcpPacket(from, to, header, payload), to.address),
      (output) => void this.#out.push(output),
    )
    this.#mtu = mtu
  }

  /** Replaces the addresses the stack answers for. Sockets stay; one bound to an address that is gone hears nothing. */
  setAddresses(addresses: readonly IpAddress[]): void {
    this.#own = new OwnAddresses(addresses)
  }

  /** Takes one IP packet from the network; the bytes are only looked at until the outputs are drained. */
  handlePacket(bytes: Uint8Array, now: number): void {
    this.#handle(bytes, now)
    this.#settle(now)
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
    this.#send(encodeIcmpEcho(source, to, echo), to)
    this.#settle(now)
    return id
  }

  /**
   * Binds a UDP socket to a port, of one own address or of all of them; port 0 (the default) takes a free one.
   *
   * @throws NetstackError `ERR_NETSTACK_IN_USE`, `ERR_NETSTACK_NOT_OWN_ADDRESS`.
   */
  bindUdp({ address, port = 0 }: BindOptions = {}): BoundUdp {
    this.#requireBindable(address, port)
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
    this.#send(encodeUdpPacket({ address: source, port }, to, payload), to.address)
    this.#settle(now)
  }

  /** Closes a UDP socket. Harmless when it is closed. */
  closeUdp(socket: UdpSocketId): void {
    this.#udp.close(socket)
  }

  /**
   * Listens for TCP connections on a port, of one own address or of all of them; port 0 (the default) takes a free one.
   * Each connection is announced by `tcp-accepted`.
   *
   * @throws NetstackError `ERR_NETSTACK_IN_USE`, `ERR_NETSTACK_NOT_OWN_ADDRESS`.
   */
  listenTcp({ address, port = 0 }: BindOptions = {}): BoundTcp {
    this.#requireBindable(address, port)
    const { id, port: bound } = this.#tcp.listen(address, port)
    return { listener: id, port: bound }
  }

  /** Accepts no more on a listener; what it accepted stays. Harmless when it is closed. */
  closeTcpListener(listener: TcpListenerId): void {
    this.#tcp.unlisten(listener)
  }

  /**
   * Opens a TCP connection; `tcp-connected` or `tcp-closed` follows. Bytes may be sent before.
   *
   * @throws NetstackError `ERR_NETSTACK_NO_ADDRESS`, `ERR_NETSTACK_IN_USE` when no port is left to open it from.
   */
  connectTcp(to: Endpoint, now: number): TcpConnectionId {
    const connection = this.#tcp.connect(this.#sourceFor(to.address), to, now)
    this.#settle(now)
    return connection
  }

  /**
   * Sends bytes on a connection, as many as there is room for, and returns how many that were. After less than all,
   * `tcp-writable` says when to go on. It is 0 after the end was said, and when the connection is over, which its owner may
   * not have heard of yet.
   */
  sendTcp(connection: TcpConnectionId, bytes: Uint8Array, now: number): number {
    const taken = this.#tcp.with(connection, (tcp) => tcp.send(bytes, now)) ?? 0
    this.#settle(now)
    return taken
  }

  /** Says that so many received bytes were taken, so that the peer may send more. Harmless when it is over. */
  consumeTcp(connection: TcpConnectionId, length: number, now: number): void {
    this.#tcp.with(connection, (tcp) => tcp.consume(length))
    this.#settle(now)
  }

  /** Ends the sending side of a connection after what was given to send. Harmless when it is over. */
  endTcp(connection: TcpConnectionId, now: number): void {
    this.#tcp.with(connection, (tcp) => tcp.end(now))
    this.#settle(now)
  }

  /** Breaks a connection off; `tcp-closed` follows. Harmless when it is over. */
  abortTcp(connection: TcpConnectionId, now: number): void {
    this.#tcp.with(connection, (tcp) => tcp.abort())
    this.#settle(now)
  }

  /** Gives up pings whose time is over, and sends again what was lost. */
  handleTimeout(now: number): void {
    this.#out.push(...this.#pings.expire(now))
    this.#tcp.handleTimeout(now)
    this.#settle(now)
  }

  /** Returns the next thing to do, or `undefined` when drained. */
  poll(): NetstackOutput | undefined {
    return this.#out.shift()
  }

  /** Returns when to call {@link Netstack.handleTimeout}; `Infinity` means never. */
  pollTimeout(): number {
    return Math.min(this.#pings.nextDeadline(), this.#tcp.timeoutAt())
  }

  /** Returns the counts so far. */
  counters(): NetstackCounters {
    return { packetsIn: this.#packetsIn, packetsOut: this.#packetsOut, drops: { ...this.#drops } }
  }

  #handle(bytes: Uint8Array, now: number): void {
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

  #handleUdp(packet: IpPacket, now: number): void {
    const segment = decodeUdp(packet.payload)
    if (segment === undefined) return this.#drop('malformed')
    const socket = this.#udp.find(packet.destination, segment.destinationPort)
    if (socket === undefined) return this.#refuse(this.#icmpErrors.portUnreachable(packet, now), packet)
    this.#out.push({
      kind: 'datagram',
      socket: socket.id,
      from: { address: packet.source.slice(), port: segment.sourcePort },
      to: { address: packet.destination.slice(), port: segment.destinationPort },
      payload: segment.payload,
    })
  }

  #handleTcp(packet: IpPacket, now: number): void {
    if (!this.#tcp.handlePacket(packet, now)) this.#refuse(encodeReset(packet), packet)
  }

  #handleIcmp(packet: IpPacket, now: number): void {
    const echo = decodeIcmpEcho(packet)
    if (echo === undefined) return this.#handleIcmpError(packet)
    if (echo.kind === 'request') {
      const reply = encodeIcmpEcho(packet.destination, packet.source, { ...echo, kind: 'reply' })
      return this.#send(reply, packet.source)
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
    const socket = this.#udp.find(flow.source, flow.sourcePort)
    if (socket === undefined) return undefined
    const to = { address: flow.destination.slice(), port: flow.destinationPort }
    return { kind: 'unreachable', socket: socket.id, to }
  }

  #refuse(answer: Uint8Array | undefined, packet: IpPacket): void {
    this.#drop('no-listener')
    if (answer !== undefined) this.#send(answer, packet.source)
  }

  /** Packets to an own address never leave: they come in again once the present input is done with. */
  #send(packet: Uint8Array, to: IpAddress): void {
    if (this.#own.has(to)) return void this.#looped.push(packet)
    this.#packetsOut += 1
    this.#out.push({ kind: 'packet', packet })
  }

  #settle(now: number): void {
    for (let packet = this.#looped.shift(); packet !== undefined; packet = this.#looped.shift()) {
      this.#handle(packet, now)
    }
  }

  #requireBindable(address: IpAddress | undefined, port: number): void {
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw new RangeError(`port out of range: ${port}`)
    if (address === undefined || this.#own.has(address)) return
    throw new NetstackError(
      'ERR_NETSTACK_NOT_OWN_ADDRESS',
      `${formatAddress(address)} is not an address of this node`,
    )
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
