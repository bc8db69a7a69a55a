// A NAT after RFC 4787: what external port it gives to whom (mapping), and whom it lets in through it (filtering).
// What is not translated (IPv6, and everything at a firewall) passes with its own address, behind the same filtering.
import { type Endpoint, type IpAddress, addressesEqual } from '@mesh/wire/ip'
import type { NatBehaviour, PortChoice } from './behaviour.ts'
import type { SimDatagram } from './datagram.ts'
import { endpointKey, type Key } from './keys.ts'
import { Link, type LinkConditions } from './link.ts'
import { MappingTable } from './mapping-table.ts'
import { Permissions } from './permissions.ts'
import type { Place } from './place.ts'
import { PORT_MAPPING_PORT, type PortMappingProtocol, PortMappingServer } from './port-mapping.ts'
import { Realm, type Receiver } from './realm.ts'
import { type World, drop } from './world.ts'

/** How a NAT is to behave. */
export interface NatOptions {
  /**
   * When a host's port gets the same external port again; endpoint-independent when not given. `none` translates
   * nothing: a firewall, whose hosts have addresses of the outside.
   */
  readonly mapping?: NatBehaviour | 'none'
  /** Whose datagrams come in through it; address-and-port-dependent when not given, as home routers do. */
  readonly filtering?: NatBehaviour
  /** How external ports are chosen; random when not given. */
  readonly ports?: PortChoice
  /** Whether hosts behind it reach each other by their external endpoints; not when not given. */
  readonly hairpin?: boolean
  /** Milliseconds of silence after which a mapping, or a permission, is forgotten; 120 000 when not given (REQ-5). */
  readonly timeout?: number
  /** Whether datagrams that come in keep a mapping alive too; not when not given. */
  readonly inboundRefresh?: boolean
  /** Whether hosts behind it cannot reach each other by their inside addresses, as guests of a wireless network. */
  readonly isolated?: boolean
  /** By what hosts behind it can have ports mapped; by nothing when not given. */
  readonly portMapping?: PortMappingProtocol
  /** What it never passes, in or out; see {@link SimNat.blocks}. */
  readonly blocks?: (datagram: SimDatagram) => boolean
  /** Conditions of the wire on the outside. */
  readonly link?: Partial<LinkConditions>
}

/** A NAT in a {@link SimNet}; made by `net.nat`. Hosts are put behind it by `net.host({ behind: nat })`. */
export class SimNat implements Place {
  /** The addresses behind the NAT. */
  readonly realm: Realm
  /** The wire on the outside: latency and so on may be changed at any time. */
  readonly link: Link
  /** The external IPv4 address. */
  readonly address: IpAddress
  /** The address inside at which ports can be had mapped, when they can. */
  readonly gateway: IpAddress | undefined
  readonly nextAddress: () => IpAddress
  /** What it never passes, in or out: `() => true` blocks UDP altogether. May be changed at any time. */
  blocks: ((datagram: SimDatagram) => boolean) | undefined
  /** Whether a captive portal stands before the Internet: nothing passes, streams neither. May be changed at any time. */
  captive = false
  readonly #world: World
  readonly #outside: Place
  readonly #options: NatOptions
  readonly #timeout: number
  readonly #table: MappingTable
  /** Permissions of untranslated endpoints inside. */
  readonly #open = new Map<Key, Permissions>()
  readonly #portMapping: PortMappingServer | undefined

  /** @internal */
  constructor(world: World, outside: Place, address: IpAddress, inside: Inside, options: NatOptions) {
    this.#world = world
    this.#outside = outside
    this.#options = options
    this.#timeout = options.timeout ?? 120_000
    this.#table = tableOf(world, options, this.#timeout)
    this.blocks = options.blocks
    this.address = address
    this.nextAddress = options.mapping === 'none' ? () => outside.nextAddress() : inside.nextAddress
    this.link = new Link(world, options.link ?? {})
    this.realm = new Realm(world, (datagram) => this.#outbound(datagram))
    if (options.isolated === true) this.realm.blocks = (datagram) => this.#isAmongGuests(datagram)
    if (options.mapping !== 'none')
      outside.plug(
        address,
        this.#fromOutside((d) => this.#inbound(d)),
      )
    if (options.portMapping === undefined) return
    this.gateway = inside.gateway
    this.#portMapping = new PortMappingServer(options.portMapping, this.#table, address, world.clock)
    this.realm.attach(inside.gateway, (datagram) => this.#askedForPort(datagram))
  }

  /** Whether streams get out to the Internet from behind it. */
  get isOnline(): boolean {
    return this.link.up && !this.captive && this.#outside.isOnline
  }

  /** Makes an address reachable behind the NAT; one that is not translated also outside, as far as filtering allows. */
  plug(address: IpAddress, receiver: Receiver): void {
    this.realm.attach(address, receiver)
    if (!this.#translates(address))
      this.#outside.plug(
        address,
        this.#fromOutside((d) => this.#inboundAsIs(d)),
      )
  }

  /** Takes an address away again. */
  unplug(address: IpAddress): void {
    this.realm.detach(address)
    if (!this.#translates(address)) this.#outside.unplug(address)
  }

  /**
   * Opens an external port to an endpoint inside for everybody, as somebody does by hand; for good unless there is a
   * lifetime in milliseconds.
   */
  forward(port: number, inside: Endpoint, lifetime: number = Infinity): void {
    this.#table.forward(port, inside, this.#world.clock.now() + lifetime)
  }

  /** Forgets all mappings, permissions and forwards, as a restart does. */
  reset(): void {
    this.#table.clear()
    this.#open.clear()
    this.#portMapping?.restart()
  }

  #translates(address: IpAddress): boolean {
    return address.length === 4 && this.#options.mapping !== 'none'
  }

  #isAmongGuests({ source, destination }: SimDatagram): boolean {
    const isGateway = ({ address }: Endpoint): boolean =>
      this.gateway !== undefined && addressesEqual(address, this.gateway)
    return this.realm.has(source.address) && !isGateway(source) && !isGateway(destination)
  }

  #fromOutside(handle: Receiver): Receiver {
    return (datagram) => {
      this.link.carry(datagram, 'in', (carried) => (this.#stops(carried) ? undefined : handle(carried)))
    }
  }

  #stops(datagram: SimDatagram): boolean {
    const stops = this.captive || this.blocks?.(datagram) === true
    if (stops) drop(this.#world, datagram, 'blocked')
    return stops
  }

  #outbound(datagram: SimDatagram): void {
    const { source, destination } = datagram
    if (this.#stops(datagram)) return
    if (!this.#translates(destination.address)) return this.#outboundAsIs(datagram)
    const mapping = this.#table.outbound(source, destination)
    if (mapping === undefined) return drop(this.#world, datagram, 'no-port')
    const translated = { ...datagram, source: { address: this.address, port: mapping.port } }
    if (!addressesEqual(destination.address, this.address)) return this.#toOutside(translated)
    if (this.#options.hairpin !== true) return drop(this.#world, datagram, 'hairpin')
    this.#inbound(translated)
  }

  #toOutside(datagram: SimDatagram): void {
    this.link.carry(datagram, 'out', (carried) => this.#outside.realm.route(carried))
  }

  #inbound(datagram: SimDatagram): void {
    const mapping = this.#table.inbound(datagram.destination.port, datagram.source)
    if (typeof mapping === 'string') return drop(this.#world, datagram, mapping)
    this.realm.route({ ...datagram, destination: mapping.inside })
  }

  #outboundAsIs(datagram: SimDatagram): void {
    const key = endpointKey(datagram.source)
    const permissions = this.#open.get(key) ?? new Permissions(filteringOf(this.#options))
    this.#open.set(key, permissions)
    permissions.permit(datagram.destination, this.#world.clock.now() + this.#timeout)
    this.#toOutside(datagram)
  }

  #inboundAsIs(datagram: SimDatagram): void {
    const permissions = this.#open.get(endpointKey(datagram.destination))
    if (permissions?.allows(datagram.source, this.#world.clock.now()) === true)
      return this.realm.route(datagram)
    drop(this.#world, datagram, 'filtered')
  }

  #askedForPort({ source, destination, bytes }: SimDatagram): void {
    const answer =
      destination.port === PORT_MAPPING_PORT ? this.#portMapping?.answer(bytes, source) : undefined
    if (answer !== undefined) this.realm.route({ source: destination, destination: source, bytes: answer })
  }
}

/** What lies behind a NAT. */
export interface Inside {
  /** Its addresses. */
  readonly nextAddress: () => IpAddress
  /** The NAT's own address there. */
  readonly gateway: IpAddress
}

function tableOf({ clock, random }: World, options: NatOptions, timeout: number): MappingTable {
  const { mapping = 'endpoint-independent', ports = 'random', inboundRefresh = false } = options
  const rules = {
    mapping: mapping === 'none' ? 'endpoint-independent' : mapping,
    filtering: filteringOf(options),
    ports,
    timeout,
    inboundRefresh,
  } as const
  return new MappingTable(rules, clock, random)
}

function filteringOf({ filtering }: NatOptions): NatBehaviour {
  return filtering ?? 'address-and-port-dependent'
}
