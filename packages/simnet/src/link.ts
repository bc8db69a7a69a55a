// One stretch of wire: it takes time, it loses, and it may be cut. All of it may change while packets are under way;
// what is already on the wire keeps the conditions it started with.
import type { SimDatagram } from './datagram.ts'
import { type World, drop, fraction } from './world.ts'

/** How a link is; each may be changed at any time. */
export interface LinkConditions {
  /** Milliseconds a datagram takes, each way. */
  latency: number
  /** The most milliseconds added at random, which may reorder datagrams. */
  jitter: number
  /** The part of datagrams lost, 0 to 1. */
  loss: number
  /** The longest IP packet carried, in bytes. */
  mtu: number
  /** Whether anything is carried at all. */
  up: boolean
}

const DEFAULT: LinkConditions = { latency: 5, jitter: 0, loss: 0, mtu: 1500, up: true }
const UDP_HEADERS_IPV4 = 28
const UDP_HEADERS_IPV6 = 48

/** A wire with its conditions. */
export class Link implements LinkConditions {
  latency: number
  jitter: number
  loss: number
  mtu: number
  up: boolean
  readonly #world: World

  constructor(world: World, conditions: Partial<LinkConditions>) {
    const { latency, jitter, loss, mtu, up } = { ...DEFAULT, ...conditions }
    this.#world = world
    this.latency = latency
    this.jitter = jitter
    this.loss = loss
    this.mtu = mtu
    this.up = up
  }

  /** Carries a datagram to the other end, or loses it. */
  carry(datagram: SimDatagram, deliver: (datagram: SimDatagram) => void): void {
    const { clock, random } = this.#world
    const headers = datagram.destination.address.length === 4 ? UDP_HEADERS_IPV4 : UDP_HEADERS_IPV6
    if (!this.up) return drop(this.#world, datagram, 'link-down')
    if (datagram.bytes.length + headers > this.mtu) return drop(this.#world, datagram, 'too-big')
    if (this.loss > 0 && fraction(random) < this.loss) return drop(this.#world, datagram, 'lost')
    const delay = this.latency + (this.jitter > 0 ? fraction(random) * this.jitter : 0)
    clock.at(clock.now() + delay, () => deliver(datagram))
  }
}
