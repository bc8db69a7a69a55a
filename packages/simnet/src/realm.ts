// A space of addresses within which hosts reach each other: the Internet, or what lies behind one NAT. What is not
// here goes to the gateway, if there is one.
import { type IpAddress, formatAddress } from '@mesh/wire/ip'
import type { SimDatagram } from './datagram.ts'
import { type World, drop } from './world.ts'

/** Takes the datagrams for an address. */
export type Receiver = (datagram: SimDatagram) => void

/** One space of addresses. */
export class Realm {
  readonly #world: World
  readonly #receivers = new Map<string, Receiver>()
  /** Where datagrams for addresses elsewhere go. */
  readonly #gateway: Receiver | undefined

  constructor(world: World, gateway?: Receiver) {
    this.#world = world
    this.#gateway = gateway
  }

  /** Gives an address to a receiver; throws RangeError when it is taken. */
  attach(address: IpAddress, receiver: Receiver): void {
    const key = formatAddress(address)
    if (this.#receivers.has(key)) throw new RangeError(`address ${key} is taken`)
    this.#receivers.set(key, receiver)
  }

  /** Takes an address back. */
  detach(address: IpAddress): void {
    this.#receivers.delete(formatAddress(address))
  }

  /** Hands a datagram to whoever has its destination, else to the gateway. */
  route(datagram: SimDatagram): void {
    const receiver = this.#receivers.get(formatAddress(datagram.destination.address)) ?? this.#gateway
    if (receiver) return receiver(datagram)
    drop(this.#world, datagram, 'unreachable')
  }
}
