// All TCP of a stack: listeners by port, connections by their pair of endpoints. A segment finds its connection, or
// a listener makes one, or nobody wants it.
import type { RandomSource } from '@mesh/sansio'
import {
  addressesEqual,
  decodeTcp,
  type Endpoint,
  type IpPacket,
  type IpAddress,
  ipHeaderLength,
  TCP_ACK,
  TCP_HEADER_LENGTH,
  TCP_RST,
  TCP_SYN,
  type TcpHeader,
  type TcpSegment,
} from '@mesh/wire/ip'
import { NetstackError } from '../errors.ts'
import type { NetstackOutput, TcpConnectionId, TcpListenerId } from '../outputs.ts'
import { type Binding, PortTable } from '../port-table.ts'
import { ReassemblyBudget } from './reassembly.ts'
import { TcpConnection, type TcpSignals } from './tcp-connection.ts'

/** The most handshakes of strangers under way; then the oldest gives way, so that a flood keeps nobody out for long. */
export const TCP_OPENING_LIMIT = 256
/** The most connections; beyond it none is opened from outside. */
export const TCP_CONNECTION_LIMIT = 8_192

/** The most bytes that came ahead of their turn, of all connections together; what exceeds it comes again. */
export const TCP_REASSEMBLY_LIMIT = 64 * 1024 * 1024

const DEFAULT_SEGMENT_V4 = 536
const DEFAULT_SEGMENT_V6 = 1_220

/** Sends one segment. */
export type EmitTcp = (from: Endpoint, to: Endpoint, header: TcpHeader, payload: Uint8Array) => void

interface Entry {
  readonly id: TcpConnectionId
  readonly local: Endpoint
  readonly remote: Endpoint
  readonly connection: TcpConnection
  /** The listener that made it; none for one that we opened. */
  readonly listener: TcpListenerId | undefined
}

/** Listeners and connections. */
export class TcpTable {
  readonly #listeners: PortTable
  readonly #byId = new Map<TcpConnectionId, Entry>()
  readonly #byPorts = new Map<number, Entry[]>()
  readonly #random: RandomSource
  readonly #mtu: number
  readonly #emit: EmitTcp
  readonly #report: (output: NetstackOutput) => void
  readonly #reassembly = new ReassemblyBudget(TCP_REASSEMBLY_LIMIT)
  #nextId = 1
  /** Handshakes of strangers under way, the oldest first. */
  readonly #opening = new Set<Entry>()

  constructor(random: RandomSource, mtu: number, emit: EmitTcp, report: (output: NetstackOutput) => void) {
    this.#listeners = new PortTable('TCP', random)
    this.#random = random
    this.#mtu = mtu
    this.#emit = emit
    this.#report = report
  }

  /** Listens on a port. */
  listen(address: IpAddress | undefined, port: number): Binding {
    return this.#listeners.bind(address, port)
  }

  /** Listens no more; its connections stay. */
  unlisten(listener: TcpListenerId): void {
    this.#listeners.close(listener)
  }

  /** Opens a connection. */
  connect(local: IpAddress, remote: Endpoint, now: number): TcpConnectionId {
    const port = this.#freePort(local, remote)
    const entry = this.#add({ address: local.slice(), port }, copyOf(remote), undefined)
    entry.connection.connect(now)
    return entry.id
  }

  /** Takes a segment with a right checksum. False: nobody wants it. */
  handlePacket(packet: IpPacket, now: number): boolean {
    const segment = decodeTcp(packet.payload)
    if (segment === undefined) return true
    const local = { address: packet.destination, port: segment.destinationPort }
    const remote = { address: packet.source, port: segment.sourcePort }
    const entry = this.#lookUp(local, remote)
    if (entry === undefined) return this.#handleUnknown(segment, local, remote, now)
    if (
      isSyn(segment) &&
      entry.connection.yieldsTo(segment) &&
      this.#listeners.find(local.address, local.port)
    ) {
      this.#remove(entry)
      return this.#handleUnknown(segment, local, remote, now)
    }
    this.#withEntry(entry, () => entry.connection.handleSegment(segment, now))
    return true
  }

  /** Runs one request of the program, and forgets the connection if that was its end; `undefined` when it is over already. */
  with<T>(id: TcpConnectionId, run: (connection: TcpConnection) => T): T | undefined {
    const entry = this.#byId.get(id)
    if (entry === undefined) return undefined
    const result = run(entry.connection)
    if (entry.connection.gone) this.#remove(entry)
    return result
  }

  /** Does what is due in all connections. */
  handleTimeout(now: number): void {
    for (const entry of this.#byId.values()) {
      if (entry.connection.timeoutAt > now) continue
      this.#withEntry(entry, () => entry.connection.handleTimeout(now))
    }
  }

  /** When the next connection has something to do. */
  timeoutAt(): number {
    let at = Infinity
    for (const { connection } of this.#byId.values()) at = Math.min(at, connection.timeoutAt)
    return at
  }

  #handleUnknown(segment: TcpSegment, local: Endpoint, remote: Endpoint, now: number): boolean {
    if (!isSyn(segment)) return false
    const listener = this.#listeners.find(local.address, local.port)
    if (listener === undefined) return false
    if (this.#opening.size >= TCP_OPENING_LIMIT) this.#giveUpOldest()
    if (this.#byId.size >= TCP_CONNECTION_LIMIT) return true
    const entry = this.#add(copyOf(local), copyOf(remote), listener.id)
    this.#withEntry(entry, () => entry.connection.accept(segment, now))
    return true
  }

  /** Keeps track of the handshakes under way, and forgets what is over. */
  #withEntry(entry: Entry, run: () => void): void {
    run()
    if (entry.listener !== undefined && entry.connection.opening) this.#opening.add(entry)
    else this.#opening.delete(entry)
    if (entry.connection.gone) this.#remove(entry)
  }

  /** Nobody was told of a connection that is not open yet, so nobody need be told of its end. */
  #giveUpOldest(): void {
    for (const entry of this.#opening) return this.#remove(entry)
  }

  #add(local: Endpoint, remote: Endpoint, listener: TcpListenerId | undefined): Entry {
    const id = this.#nextId
    this.#nextId += 1
    const connection = new TcpConnection({
      initialSequence: this.#randomSequence(),
      maximumSegmentSize: this.#mtu - ipHeaderLength(local.address) - TCP_HEADER_LENGTH,
      defaultSegmentSize: local.address.length === 4 ? DEFAULT_SEGMENT_V4 : DEFAULT_SEGMENT_V6,
      reassembly: this.#reassembly,
      signals: this.#signalsOf(id, local, remote, listener),
    })
    const entry = { id, local, remote, connection, listener }
    this.#byId.set(id, entry)
    const key = keyOf(local, remote)
    this.#byPorts.set(key, [...(this.#byPorts.get(key) ?? []), entry])
    return entry
  }

  #remove(entry: Entry): void {
    if (!this.#byId.delete(entry.id)) return
    entry.connection.forget()
    this.#opening.delete(entry)
    const key = keyOf(entry.local, entry.remote)
    const rest = (this.#byPorts.get(key) ?? []).filter((other) => other !== entry)
    if (rest.length === 0) this.#byPorts.delete(key)
    else this.#byPorts.set(key, rest)
  }

  /** A connection from outside is announced once it is open; one that never opens is not heard of. */
  #signalsOf(
    connection: TcpConnectionId,
    local: Endpoint,
    remote: Endpoint,
    listener: TcpListenerId | undefined,
  ): TcpSignals {
    let announced = listener === undefined
    return {
      segment: (header, payload) => this.#emit(local, remote, header, payload),
      opened: () => {
        announced = true
        if (listener === undefined) return this.#report({ kind: 'tcp-connected', connection })
        this.#report({ kind: 'tcp-accepted', listener, connection, from: remote, to: local })
      },
      data: (bytes) => this.#report({ kind: 'tcp-data', connection, bytes: bytes.slice() }),
      ended: () => this.#report({ kind: 'tcp-ended', connection }),
      writable: () => this.#report({ kind: 'tcp-writable', connection }),
      closed: (reason) => {
        if (announced) this.#report({ kind: 'tcp-closed', connection, reason })
      },
    }
  }

  #lookUp(local: Endpoint, remote: Endpoint): Entry | undefined {
    return this.#byPorts
      .get(keyOf(local, remote))
      ?.find(
        (entry) =>
          addressesEqual(entry.remote.address, remote.address) &&
          addressesEqual(entry.local.address, local.address),
      )
  }

  /** A port from which this remote endpoint is not yet spoken to, beginning at a random one. */
  #freePort(local: IpAddress, remote: Endpoint): number {
    for (let tries = 0; tries < 64; tries++) {
      const port = 49_152 + (this.#randomSequence() & 0x3fff)
      if (this.#lookUp({ address: local, port }, remote) === undefined) return port
    }
    throw new NetstackError('ERR_NETSTACK_IN_USE', 'no free TCP port is left')
  }

  #randomSequence(): number {
    const bytes = this.#random(4)
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0)
  }
}

function isSyn(segment: TcpSegment): boolean {
  return (segment.flags & (TCP_SYN | TCP_ACK | TCP_RST)) === TCP_SYN
}

function keyOf(local: Endpoint, remote: Endpoint): number {
  return local.port * 0x1_0000 + remote.port
}

function copyOf(endpoint: Endpoint): Endpoint {
  return { address: endpoint.address.slice(), port: endpoint.port }
}
