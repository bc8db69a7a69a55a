// One stretch of wire: it takes time, it loses, doubles and reorders, it may be slow, and it may be cut. All of it may
// change while packets are under way; what is already on the wire keeps the conditions it started with.
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
  /** The part of datagrams that take their latency twice, so that later ones overtake them, 0 to 1. */
  reorder: number
  /** The part of datagrams that arrive twice, 0 to 1. */
  duplication: number
  /** The longest IP packet carried, in bytes. */
  mtu: number
  /** Bits a second, in each direction; `Infinity` is no limit. */
  rate: number
  /** Milliseconds a datagram waits at most for its turn on a slow link; else it is dropped. */
  queue: number
  /** Whether anything is carried at all. */
  up: boolean
}

const DEFAULT: LinkConditions = {
  latency: 5,
  jitter: 0,
  loss: 0,
  reorder: 0,
  duplication: 0,
  mtu: 1500,
  rate: Infinity,
  queue: 100,
  up: true,
}
const UDP_HEADERS_IPV4 = 28
const UDP_HEADERS_IPV6 = 48

/** Which way along a link: from what hangs on it, or to it. */
export type LinkWay = 'out' | 'in'

/** A wire with its conditions. */
export class Link implements LinkConditions {
  latency: number
  jitter: number
  loss: number
  reorder: number
  duplication: number
  mtu: number
  rate: number
  queue: number
  up: boolean
  readonly #world: World
  /** When the last datagram of each way will have left the queue. */
  readonly #freeAt = { out: 0, in: 0 }

  constructor(world: World, conditions: Partial<LinkConditions>) {
    const all = { ...DEFAULT, ...conditions }
    this.#world = world
    this.latency = all.latency
    this.jitter = all.jitter
    this.loss = all.loss
    this.reorder = all.reorder
    this.duplication = all.duplication
    this.mtu = all.mtu
    this.rate = all.rate
    this.queue = all.queue
    this.up = all.up
  }

  /** Carries a datagram to the other end, or loses it. */
  carry(datagram: SimDatagram, way: LinkWay, deliver: (datagram: SimDatagram) => void): void {
    const headers = datagram.destination.address.length === 4 ? UDP_HEADERS_IPV4 : UDP_HEADERS_IPV6
    const length = datagram.bytes.length + headers
    if (!this.up) return drop(this.#world, datagram, 'link-down')
    if (length > this.mtu) return drop(this.#world, datagram, 'too-big')
    if (this.#happens(this.loss)) return drop(this.#world, datagram, 'lost')
    const wait = this.rate === Infinity ? 0 : this.#queueUp(length, way)
    if (wait === undefined) return drop(this.#world, datagram, 'queue-full')
    this.#deliverAfter(wait, datagram, deliver)
    if (!this.#happens(this.duplication)) return
    const copy = { ...datagram, bytes: datagram.bytes.slice() }
    this.#world.record({ kind: 'duplicated', at: this.#world.clock.now(), datagram: copy })
    this.#deliverAfter(wait, copy, deliver)
  }

  #deliverAfter(wait: number, datagram: SimDatagram, deliver: (datagram: SimDatagram) => void): void {
    const { clock, random } = this.#world
    const extra = this.jitter > 0 ? fraction(random) * this.jitter : 0
    const latency = this.#happens(this.reorder) ? 2 * this.latency : this.latency
    clock.at(clock.now() + wait + latency + extra, () => deliver(datagram))
  }

  /** Returns how long until the last bit is on the wire; `undefined` when there is no room to wait. */
  #queueUp(length: number, way: LinkWay): number | undefined {
    const now = this.#world.clock.now()
    const begins = Math.max(now, this.#freeAt[way])
    if (begins - now > this.queue) return undefined
    this.#freeAt[way] = begins + (length * 8_000) / this.rate
    return this.#freeAt[way] - now
  }

  #happens(probability: number): boolean {
    return probability > 0 && fraction(this.#world.random) < probability
  }
}
