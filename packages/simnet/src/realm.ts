// A space of addresses within which hosts reach each other: the Internet, or what lies behind one NAT. What is not
// here goes to the gateway, if there is one.
import type { IpAddress } from '@mesh/wire/ip'
import { formatAddress } from '@mesh/wire/ip'
import type { SimDatagram } from './datagram.ts'
import { addressKey, type Key } from './keys.ts'
import { type World, drop } from './world.ts'

/** Takes the datagrams for an address. */
export type Receiver = (datagram: SimDatagram) => void

/** One space of addresses. */
export class Realm {
  /** Datagrams for an address in here of which this is true are dropped; may be changed at any time. */
  blocks: ((datagram: SimDatagram) => boolean) | undefined
  readonly #world: World
  readonly #receivers = new Map<Key, Receiver>()
  /** Where datagrams for addresses elsewhere go. */
  readonly #gateway: Receiver | undefined

  /** @internal */
  constructor(world: World, gateway?: Receiver) {
    this.#world = world
    this.#gateway = gateway
  }

  /** Tells whether somebody has an address in here. */
  has(address: IpAddress): boolean {
    return this.#receivers.has(addressKey(address))
  }

  /** Gives an address to a receiver; throws RangeError when it is taken. */
  attach(address: IpAddress, receiver: Receiver): void {
    if (this.has(address)) throw new RangeError(`address ${formatAddress(address)} is taken`)
    this.#receivers.set(addressKey(address), receiver)
  }

  /** Takes an address back. */
  detach(address: IpAddress): void {
    this.#receivers.delete(addressKey(address))
  }

  /** Hands a datagram to whoever has its destination, else to the gateway. */
  route(datagram: SimDatagram): void {
    const receiver = this.#receivers.get(addressKey(datagram.destination.address))
    if (receiver === undefined && this.#gateway !== undefined) return this.#gateway(datagram)
    if (receiver === undefined) return drop(this.#world, datagram, 'unreachable')
    if (this.blocks?.(datagram) === true) return drop(this.#world, datagram, 'blocked')
    receiver(datagram)
  }
}
