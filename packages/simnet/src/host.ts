// A machine with addresses, one link, and UDP sockets.
import { addressesEqual, type Endpoint, type IpAddress } from '@mesh/wire/ip'
import type { SimDatagram } from './datagram.ts'
import { Link, type LinkConditions } from './link.ts'
import type { Place } from './place.ts'
import { type World, drop } from './world.ts'

/** A UDP socket on one port of all of a host's addresses, of both families. */
export interface SimSocket {
  /** The port; it stays when the host moves. */
  readonly port: number
  /** Called with each datagram that arrives; the bytes are the receiver's. */
  onDatagram: ((bytes: Uint8Array, from: Endpoint, now: number) => void) | undefined
  /** Sends a copy of `bytes`, from the host's first address of the destination's family. */
  send(to: Endpoint, bytes: Uint8Array): void
  /** Frees the port; nothing arrives any more. */
  close(): void
}

const FIRST_EPHEMERAL = 49_152
const LAST_PORT = 65_535

/** A machine in a {@link SimNet}; made by `net.host`. */
export class SimHost {
  /** The host's own wire: latency and so on may be changed at any time. */
  readonly link: Link
  readonly #world: World
  readonly #sockets = new Map<number, SimSocket>()
  #place: Place
  #addresses: readonly IpAddress[] = []
  /** Counts moves, so that what was under way to the old place does not arrive. */
  #moves = 0

  /** @internal */
  constructor(
    world: World,
    place: Place,
    addresses: readonly IpAddress[],
    conditions: Partial<LinkConditions>,
  ) {
    this.#world = world
    this.#place = place
    this.link = new Link(world, conditions)
    this.#plug(place, addresses)
  }

  /** The host's addresses, in its own realm's eyes. */
  get addresses(): readonly IpAddress[] {
    return this.#addresses
  }

  /** Where the host asks for port mappings; `undefined` when nobody answers. */
  get gateway(): IpAddress | undefined {
    return this.#place.gateway
  }

  /** Whether streams get from the host to the Internet: how it reaches relays. */
  get isOnline(): boolean {
    return this.link.up && this.#place.isOnline
  }

  /** Returns the endpoint of a port at the host's first address. */
  endpoint(port: number): Endpoint {
    return { address: this.#addresses[0]!, port }
  }

  /**
   * Opens a socket.
   *
   * @param port - The port; the lowest free one from 49152 on when not given.
   * @throws RangeError when the port is taken.
   */
  socket(port: number = this.#freePort()): SimSocket {
    if (this.#sockets.has(port)) throw new RangeError(`port ${port} is taken`)
    const socket: SimSocket = {
      port,
      onDatagram: undefined,
      send: (to, bytes) => this.#send(port, to, bytes),
      close: () => {
        if (this.#sockets.get(port) === socket) this.#sockets.delete(port)
      },
    }
    this.#sockets.set(port, socket)
    return socket
  }

  /**
   * Unplugs the host and plugs it in elsewhere, as a laptop that changes networks; its sockets stay open.
   *
   * @param place - The NAT to be behind, or `net.internet`.
   * @param addresses - Its addresses there; the next free IPv4 one when not given.
   */
  move(place: Place, addresses: readonly IpAddress[] = [place.nextAddress()]): void {
    this.#moves += 1
    for (const address of this.#addresses) this.#place.unplug(address)
    this.#plug(place, addresses)
  }

  #plug(place: Place, addresses: readonly IpAddress[]): void {
    const moves = this.#moves
    const arrive = (datagram: SimDatagram): void => {
      if (moves === this.#moves) this.#deliver(datagram)
      else drop(this.#world, datagram, 'unreachable')
    }
    this.#place = place
    this.#addresses = addresses
    for (const address of addresses)
      place.plug(address, (datagram) => this.link.carry(datagram, 'in', arrive))
  }

  #freePort(): number {
    let port = FIRST_EPHEMERAL
    while (this.#sockets.has(port)) port += 1
    if (port > LAST_PORT) throw new RangeError('no port is free')
    return port
  }

  #send(port: number, to: Endpoint, bytes: Uint8Array): void {
    const address = this.#addresses.find((own) => own.length === to.address.length)
    const destination = { address: to.address.slice(), port: to.port }
    const datagram = { source: { address: address ?? to.address, port }, destination, bytes: bytes.slice() }
    this.#world.record({ kind: 'sent', at: this.#world.clock.now(), datagram })
    if (!address) return drop(this.#world, datagram, 'no-address')
    if (this.#addresses.some((own) => addressesEqual(own, to.address))) return this.#deliverSoon(datagram)
    const { realm } = this.#place
    this.link.carry(datagram, 'out', (carried) => realm.route(carried))
  }

  /** To oneself: no wire, but never within the call that sends. */
  #deliverSoon(datagram: SimDatagram): void {
    this.#world.clock.at(this.#world.clock.now(), () => this.#deliver(datagram))
  }

  #deliver(datagram: SimDatagram): void {
    const socket = this.#sockets.get(datagram.destination.port)
    if (!socket) return drop(this.#world, datagram, 'closed-port')
    const now = this.#world.clock.now()
    this.#world.record({ kind: 'delivered', at: now, datagram })
    socket.onDatagram?.(datagram.bytes, datagram.source, now)
  }
}
