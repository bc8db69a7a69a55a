// The host's end of the mesh when there is no kernel device: the user-space stack in the place of the TUN.
import { Netstack, NetstackError, type NetstackOutput, type TcpCloseReason } from '@mesh/netstack'
import { type Clock, type Driver, drive, type RandomSource } from '@mesh/sansio'
import { batchOf, type PacketBatch, packetAt, type PacketSink } from '@mesh/tun'
import { type Endpoint, formatAddress, type IpAddress, parseAddress } from '@mesh/wire/ip'
import { NetError } from './errors.ts'
import type { MeshDatagram, MeshListener, MeshUdpSocket } from './node-api.ts'

/** What stands at the overlay's end: a kernel device or the user-space stack. */
export interface OverlayHost {
  /** Gives packets to the host; the batch is free again when the call returns. */
  write(batch: PacketBatch): number
}

/** Who hears of a TCP connection. */
export interface ConnectionEvents {
  /** Both sides agreed. Not said of an accepted connection, which is open already. */
  opened(): void
  /** Bytes arrived; they are the hearer's to keep. Say {@link Connection.consume} when they are taken. */
  data(bytes: Uint8Array): void
  /** The other side sends no more. */
  ended(): void
  /** There is room again, after less than all was taken. */
  writable(): void
  /** It is over; nothing follows. */
  closed(reason: TcpCloseReason): void
}

/** A TCP connection of the user-space stack. */
export interface Connection {
  /** Address of the other side. */
  readonly remoteAddress: string
  /** Port of the other side. */
  readonly remotePort: number
  /** Sends as much as there is room for, and returns how much that was; 0 when it is over. */
  send(bytes: Uint8Array): number
  /** Says that received bytes were taken, so that as many more may come. */
  consume(length: number): void
  /** Ends the sending side. */
  end(): void
  /** Breaks it off. */
  abort(): void
}

/** Takes an accepted connection, and says who hears of it. */
export type AcceptConnection = (connection: Connection) => ConnectionEvents

/** The user-space stack as an overlay host. */
export class UserspaceHost implements OverlayHost {
  readonly #stack: Netstack
  readonly #clock: Clock
  readonly #driver: Driver
  readonly #sockets = new Map<number, (datagram: MeshDatagram) => void>()
  readonly #listeners = new Map<number, AcceptConnection>()
  readonly #connections = new Map<number, ConnectionEvents>()
  readonly #fromHost: PacketSink

  /** `fromHost` takes the packets that the stack sends to the mesh. */
  constructor(clock: Clock, random: RandomSource, fromHost: PacketSink) {
    this.#clock = clock
    this.#fromHost = fromHost
    this.#stack = new Netstack({ addresses: [], random })
    this.#driver = drive(this.#stack, clock, (output) => this.#perform(output))
  }

  /** Replaces the addresses the stack answers for. */
  setAddresses(addresses: readonly IpAddress[]): void {
    this.#stack.setAddresses(addresses)
  }

  write(batch: PacketBatch): number {
    for (let index = 0; index < batch.count; index += 1) {
      this.#feed((now) => this.#stack.handlePacket(packetAt(batch, index), now))
    }
    return batch.count
  }

  /** Opens a UDP port; 0 picks one. */
  listenUdp(port: number, onDatagram: (datagram: MeshDatagram) => void): MeshUdpSocket {
    const bound = freePort(port, () => this.#stack.bindUdp({ port }))
    this.#sockets.set(bound.socket, onDatagram)
    return {
      port: bound.port,
      send: (data, address, toPort) => {
        const to = endpoint(address, toPort)
        this.#feed((now) => this.#stack.sendUdp(bound.socket, to, data, now))
      },
      close: () => {
        this.#sockets.delete(bound.socket)
        this.#stack.closeUdp(bound.socket)
      },
    }
  }

  /** Listens for TCP connections on a port; 0 picks one. */
  listenTcp(port: number, accept: AcceptConnection): MeshListener {
    const bound = freePort(port, () => this.#stack.listenTcp({ port }))
    this.#listeners.set(bound.listener, accept)
    return {
      port: bound.port,
      close: () => {
        this.#listeners.delete(bound.listener)
        this.#stack.closeTcpListener(bound.listener)
      },
    }
  }

  /** Opens a TCP connection. */
  connectTcp(address: string, port: number, events: ConnectionEvents): Connection {
    const to = endpoint(address, port)
    const id = this.#stack.connectTcp(to, this.#clock.now())
    this.#connections.set(id, events)
    this.#driver.wake()
    return this.#connection(id, to)
  }

  /** Ends the stack's timers. */
  close(): void {
    this.#driver.close()
    const connections = [...this.#connections.values()]
    this.#connections.clear()
    for (const events of connections) events.closed('aborted')
  }

  #perform(output: NetstackOutput): void {
    switch (output.kind) {
      case 'packet':
        return this.#fromHost(batchOf([output.packet]))
      case 'datagram':
        return this.#deliver(output.socket, output.from, output.payload)
      case 'tcp-accepted':
        return this.#accept(output.listener, output.connection, output.from)
      case 'tcp-connected':
        return this.#connections.get(output.connection)?.opened()
      case 'tcp-data':
        return this.#connections.get(output.connection)?.data(output.bytes.slice())
      case 'tcp-ended':
        return this.#connections.get(output.connection)?.ended()
      case 'tcp-writable':
        return this.#connections.get(output.connection)?.writable()
      case 'tcp-closed':
        return this.#forget(output.connection, output.reason)
      case 'unreachable':
      case 'pong':
      case 'ping-failed':
        return undefined
    }
  }

  #deliver(socket: number, from: Endpoint, payload: Uint8Array): void {
    const { address, port } = from
    this.#sockets.get(socket)?.({ data: payload.slice(), address: formatAddress(address), port })
  }

  #accept(listener: number, id: number, from: Endpoint): void {
    const accept = this.#listeners.get(listener)
    const connection = this.#connection(id, from)
    if (accept) this.#connections.set(id, accept(connection))
    else connection.abort()
  }

  #forget(id: number, reason: TcpCloseReason): void {
    const events = this.#connections.get(id)
    this.#connections.delete(id)
    events?.closed(reason)
  }

  #connection(id: number, { address, port }: Endpoint): Connection {
    const known = (): boolean => this.#connections.has(id)
    return {
      remoteAddress: formatAddress(address),
      remotePort: port,
      send: (bytes) => (known() ? this.#feed((now) => this.#stack.sendTcp(id, bytes, now)) : 0),
      consume: (length) => this.#feed((now) => this.#stack.consumeTcp(id, length, now)),
      end: () => this.#feed((now) => this.#stack.endTcp(id, now)),
      abort: () => this.#feed((now) => this.#stack.abortTcp(id, now)),
    }
  }

  /** One input, then everything that comes of it. */
  #feed<T>(input: (now: number) => T): T {
    const result = input(this.#clock.now())
    this.#driver.wake()
    return result
  }
}

function endpoint(address: string, port: number): Endpoint {
  const parsed = parseAddress(address)
  if (!parsed) throw new TypeError(`address is not an IP address: ${address}`)
  return { address: parsed, port }
}

function freePort<T>(port: number, bind: () => T): T {
  try {
    return bind()
  } catch (cause) {
    if (!(cause instanceof NetstackError) || cause.code !== 'ERR_NETSTACK_IN_USE') throw cause
    throw new NetError('ERR_PORT_IN_USE', `Port ${port} of this node is in use.`, { cause })
  }
}
