// The network itself: an Internet of addresses, to which hosts and NATs are plugged, under one clock and one seed.
import { ManualClock, type RandomSource, seededRandom } from '@mesh/sansio'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { SimDropReason, SimEvent } from './datagram.ts'
import { SimHost } from './host.ts'
import type { LinkConditions } from './link.ts'
import { type Inside, type NatOptions, SimNat } from './nat.ts'
import { type Place, addressPool } from './place.ts'
import { Realm } from './realm.ts'
import { type RelayOptions, SimRelay } from './relay.ts'
import { answerStun } from './stun-server.ts'
import type { World } from './world.ts'

/** How a network is to be. */
export interface SimNetOptions {
  /** What all chance follows from; 1 when not given. The same seed and the same calls give the same run. */
  readonly seed?: number
  /** The clock; one of its own that starts at 0 when not given. */
  readonly clock?: ManualClock
  /** Called with everything that happens to a datagram. */
  readonly onEvent?: (event: SimEvent) => void
}

/** Where and how a host is to be. */
export interface HostOptions {
  /** The NAT it is behind; on the open Internet when not given. */
  readonly behind?: SimNat
  /** Its addresses; the next free IPv4 one of its place when not given. */
  readonly addresses?: readonly IpAddress[]
  /** Conditions of its wire. */
  readonly link?: Partial<LinkConditions>
}

/** A network of hosts and NATs under a virtual clock. Nothing moves until the clock is turned. */
export class SimNet {
  /** The time of the network; turn it to let things happen. */
  readonly clock: ManualClock
  /** The dice of the network, for whoever in it needs some. */
  readonly random: RandomSource
  /** The open Internet, as a place to move a host to. */
  readonly internet: Place
  /** How many datagrams did not arrive, by reason. */
  readonly drops: Map<SimDropReason, number> = new Map()
  readonly #world: World
  #nats = 0

  /** @param options - Seed, clock and trace. */
  constructor(options: SimNetOptions = {}) {
    this.clock = options.clock ?? new ManualClock()
    this.random = seededRandom(options.seed ?? 1)
    this.#world = {
      clock: this.clock,
      random: this.random,
      record: (event) => {
        if (event.kind === 'dropped') this.drops.set(event.reason, (this.drops.get(event.reason) ?? 0) + 1)
        options.onEvent?.(event)
      },
    }
    const realm = new Realm(this.#world)
    this.internet = {
      realm,
      gateway: undefined,
      isOnline: true,
      nextAddress: addressPool(203, 0, 113, 36_000),
      plug: (address, receiver) => realm.attach(address, receiver),
      unplug: (address) => realm.detach(address),
    }
  }

  /** Adds a host. */
  host(options: HostOptions = {}): SimHost {
    const place = options.behind ?? this.internet
    const addresses = options.addresses ?? [place.nextAddress()]
    return new SimHost(this.#world, place, addresses, options.link ?? {})
  }

  /**
   * Adds a NAT, whose inside is a /24 of 192.168.0.0/16, or later of 10.0.0.0/8, and whose outside is one IPv4 address.
   *
   * @param options - How it behaves, the NAT it is itself `behind` if any, and its external `address`.
   */
  nat(options: NatOptions & { readonly behind?: SimNat; readonly address?: IpAddress } = {}): SimNat {
    const place = options.behind ?? this.internet
    const inside = insideOf(this.#nats)
    this.#nats += 1
    return new SimNat(this.#world, place, options.address ?? place.nextAddress(), inside, options)
  }

  /** Adds a host on the open Internet that answers STUN, and returns where to ask. */
  stunServer(options: HostOptions = {}): Endpoint {
    return answerStun(this.host(options))
  }

  /** Adds a relay, which all hosts reach. */
  relay(options: RelayOptions = {}): SimRelay {
    return new SimRelay(this.#world, options)
  }
}

/** Returns the network behind the nth NAT; the last address of it is the NAT's own. */
function insideOf(n: number): Inside {
  const [a, b, c] = n < 256 ? [192, 168, n] : [10, (n >> 8) & 0xff, n & 0xff]
  return { nextAddress: addressPool(a, b, c, 253), gateway: Uint8Array.of(a, b, c, 254) }
}
