// A NAT after RFC 4787: what external port it gives to whom (mapping), and whom it lets in through it (filtering).
// IPv6 passes untranslated, behind the same filtering, as in a home router with a firewall.
import { type Endpoint, type IpAddress, addressesEqual, formatAddress, formatEndpoint } from '@mesh/wire/ip'
import type { SimDatagram } from './datagram.ts'
import { Link, type LinkConditions } from './link.ts'
import type { Place } from './place.ts'
import { PortTable } from './port-table.ts'
import { Realm, type Receiver } from './realm.ts'
import { type World, drop } from './world.ts'

/**
 * How a NAT treats different destinations (RFC 4787 sections 4.1 and 5): all alike, each address apart, or each
 * address and port apart.
 */
export type NatBehaviour = 'endpoint-independent' | 'address-dependent' | 'address-and-port-dependent'

/** How a NAT is to behave. */
export interface NatOptions {
  /** When a host's port gets the same external port again; endpoint-independent when not given. */
  readonly mapping?: NatBehaviour
  /** Whose datagrams come in through it; address-and-port-dependent when not given, as home routers do. */
  readonly filtering?: NatBehaviour
  /** How external ports are chosen; random when not given. Preserving falls back to random when the port is taken. */
  readonly ports?: 'random' | 'preserve'
  /** Whether hosts behind it reach each other by their external endpoints; not when not given. */
  readonly hairpin?: boolean
  /** Milliseconds of silence after which a mapping, or a permission, is forgotten; 120 000 when not given (REQ-5). */
  readonly timeout?: number
  /** Whether datagrams that come in keep a mapping alive too; not when not given. */
  readonly inboundRefresh?: boolean
  /** Conditions of the wire on the outside. */
  readonly link?: Partial<LinkConditions>
}

/** Who may come in, and since when: keys are the destinations sent to, as precise as the filtering is. */
type Permissions = Map<string, number>

interface Mapping {
  readonly inside: Endpoint
  readonly port: number
  readonly permitted: Permissions
  lastUsed: number
  /** Made by hand, open to all, and never forgotten. */
  readonly isForward: boolean
}

/** A NAT in a {@link SimNet}; made by `net.nat`. Hosts are put behind it by `net.host({ behind: nat })`. */
export class SimNat implements Place {
  /** The addresses behind the NAT. */
  readonly realm: Realm
  /** The wire on the outside: latency and so on may be changed at any time. */
  readonly link: Link
  /** The external IPv4 address. */
  readonly address: IpAddress
  readonly nextAddress: () => IpAddress
  readonly #world: World
  readonly #outside: Place
  readonly #mapping: NatBehaviour
  readonly #filtering: NatBehaviour
  readonly #hairpin: boolean
  readonly #timeout: number
  readonly #inboundRefresh: boolean
  readonly #ports: PortTable<Mapping>
  readonly #byKey = new Map<string, Mapping>()
  readonly #permitted6 = new Map<string, Permissions>()

  /** @internal */
  constructor(world: World, outside: Place, address: IpAddress, pool: () => IpAddress, options: NatOptions) {
    this.#world = world
    this.#outside = outside
    this.#mapping = options.mapping ?? 'endpoint-independent'
    this.#filtering = options.filtering ?? 'address-and-port-dependent'
    this.#hairpin = options.hairpin ?? false
    this.#timeout = options.timeout ?? 120_000
    this.#inboundRefresh = options.inboundRefresh ?? false
    this.#ports = new PortTable(world.random, options.ports ?? 'random')
    this.address = address
    this.nextAddress = pool
    this.link = new Link(world, options.link ?? {})
    this.realm = new Realm(world, (datagram) => this.#outbound(datagram))
    outside.plug(
      address,
      this.#fromOutside((datagram) => this.#inbound(datagram)),
    )
  }

  /** Makes an address reachable behind the NAT; an IPv6 one is reachable from outside too, as far as filtering allows. */
  plug(address: IpAddress, receiver: Receiver): void {
    this.realm.attach(address, receiver)
    if (address.length === 16)
      this.#outside.plug(
        address,
        this.#fromOutside((datagram) => this.#inbound6(datagram)),
      )
  }

  /** Takes an address away again. */
  unplug(address: IpAddress): void {
    this.realm.detach(address)
    if (address.length === 16) this.#outside.unplug(address)
  }

  /** Opens an external port to an endpoint inside for everybody and for good, as a port mapping protocol does. */
  forward(port: number, inside: Endpoint): void {
    this.#ports.put(port, { inside, port, permitted: new Map(), lastUsed: Infinity, isForward: true })
  }

  /** Forgets all mappings, permissions and forwards, as a restart does. */
  reset(): void {
    this.#ports.clear()
    this.#byKey.clear()
    this.#permitted6.clear()
  }

  #fromOutside(handle: Receiver): Receiver {
    return (datagram) => this.link.carry(datagram, handle)
  }

  #outbound(datagram: SimDatagram): void {
    const { destination } = datagram
    if (destination.address.length === 16) return this.#outbound6(datagram)
    const mapping = this.#mappingFor(datagram.source, destination)
    if (!mapping) return drop(this.#world, datagram, 'no-port')
    this.#permit(mapping.permitted, destination)
    const translated = { ...datagram, source: { address: this.address, port: mapping.port } }
    if (!addressesEqual(destination.address, this.address)) return this.#toOutside(translated)
    if (!this.#hairpin) return drop(this.#world, datagram, 'hairpin')
    this.#inbound(translated)
  }

  #toOutside(datagram: SimDatagram): void {
    this.link.carry(datagram, (carried) => this.#outside.realm.route(carried))
  }

  #mappingFor(inside: Endpoint, destination: Endpoint): Mapping | undefined {
    const key = `${formatEndpoint(inside)} ${preciseKey(this.#mapping, destination)}`
    const known = this.#byKey.get(key)
    if (known && this.#isAlive(known)) {
      known.lastUsed = this.#world.clock.now()
      return known
    }
    const port = this.#ports.free(inside.port, (mapping) => this.#isAlive(mapping))
    if (port === undefined) return undefined
    const mapping = {
      inside,
      port,
      permitted: new Map(),
      lastUsed: this.#world.clock.now(),
      isForward: false,
    }
    this.#ports.put(port, mapping)
    this.#byKey.set(key, mapping)
    return mapping
  }

  #inbound(datagram: SimDatagram): void {
    const mapping = this.#ports.get(datagram.destination.port)
    if (!mapping || !this.#isAlive(mapping)) return drop(this.#world, datagram, 'no-mapping')
    if (!mapping.isForward && !this.#isPermitted(mapping.permitted, datagram.source)) {
      return drop(this.#world, datagram, 'filtered')
    }
    if (this.#inboundRefresh && !mapping.isForward) {
      mapping.lastUsed = this.#world.clock.now()
      this.#permit(mapping.permitted, datagram.source)
    }
    this.realm.route({ ...datagram, destination: mapping.inside })
  }

  #outbound6(datagram: SimDatagram): void {
    const key = formatEndpoint(datagram.source)
    const permitted = this.#permitted6.get(key) ?? new Map<string, number>()
    this.#permitted6.set(key, permitted)
    this.#permit(permitted, datagram.destination)
    this.#toOutside(datagram)
  }

  #inbound6(datagram: SimDatagram): void {
    const permitted = this.#permitted6.get(formatEndpoint(datagram.destination))
    if (!permitted || !this.#isPermitted(permitted, datagram.source))
      return drop(this.#world, datagram, 'filtered')
    this.realm.route(datagram)
  }

  #permit(permitted: Permissions, destination: Endpoint): void {
    permitted.set(preciseKey(this.#filtering, destination), this.#world.clock.now())
  }

  #isPermitted(permitted: Permissions, source: Endpoint): boolean {
    const since = permitted.get(preciseKey(this.#filtering, source))
    return since !== undefined && this.#world.clock.now() - since < this.#timeout
  }

  #isAlive(mapping: Mapping): boolean {
    return this.#world.clock.now() - mapping.lastUsed < this.#timeout
  }
}

/** What of the other side's endpoint counts, for one behaviour. */
function preciseKey(behaviour: NatBehaviour, other: Endpoint): string {
  if (behaviour === 'endpoint-independent') return '*'
  return behaviour === 'address-dependent' ? formatAddress(other.address) : formatEndpoint(other)
}
