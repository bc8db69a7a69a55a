// What moves under a running magicsock: the machine's addresses and its sleep, the gateway and what it forwards, a network
// that translates, and sockets that are no good any more. The machine hears of each; sockets are opened again where they must.
import type { Clock, RandomSource } from '@mesh/sansio'
import { addressesEqual, type IpAddress, isLoopback } from '@mesh/wire/ip'
import type { MagicSock } from '../magicsock.ts'
import type { PortMapping } from '../portmap/mapping.ts'
import { defaultGateway } from './default-gateway.ts'
import { findNat64Prefix } from './find-nat64.ts'
import { HostWatch } from './host-watch.ts'
import { localAddresses } from './local-addresses.ts'
import type { Nat64Sockets } from './nat64-sockets.ts'
import type { OpenMagicSockOptions } from './open-magicsock.ts'
import { RunningPortMapper } from './port-mapping.ts'
import type { RelayLinks } from './relay-links.ts'

/**
 * How soon a machine with IPv6 alone asks again whether its network translates: the resolver may not be ready after a start or a
 * sleep. Each time it waits twice as long, up to {@link MAX_NAT64_RETRY}.
 */
const NAT64_RETRY = 5_000
const MAX_NAT64_RETRY = 5 * 60_000

/** What stands on the ground that moves. */
export interface Standing {
  readonly options: OpenMagicSockOptions
  readonly clock: Clock
  readonly random: RandomSource
  readonly machine: MagicSock
  readonly sockets: Nat64Sockets
  readonly links: RelayLinks
  /** The machine may have something to do. */
  wake(): void
}

/** Watches, and tells. */
export class NetworkMoves {
  readonly #standing: Standing
  readonly #host: HostWatch
  #portMapper: RunningPortMapper | undefined
  #portMapping: PortMapping | undefined
  #nat64At = Infinity
  #nat64RetryAfter = NAT64_RETRY
  /** Only what was asked last counts: it is of this network. */
  #nat64Question = 0
  #closed = false

  /** @throws what `readAddresses` of the options throws. */
  constructor(standing: Standing) {
    const { options, clock } = standing
    this.#standing = standing
    this.#host = new HostWatch({
      clock,
      readAddresses: options.readAddresses ?? (() => localAddresses(options.allowLoopback === true)),
      readUptime: options.readUptime,
      onLook: () => this.#look(),
      onAddresses: (_addresses, isLost) => this.#hearAddresses(isLost),
      onWake: (slept) => this.#hearWake(slept),
    })
  }

  /** The port mapping at the gateway, while there is one. */
  get portMapping(): PortMapping | undefined {
    return this.#portMapping
  }

  /** Asks the gateway for a port, if that is wanted, and looks for a network that translates. */
  begin(): void {
    if (this.#standing.options.portMapping === true) this.#openPortMapper()
    this.#lookForNat64Anew()
  }

  /** Tells the machine where it is now. */
  tellAddresses(): void {
    const { machine, sockets, clock } = this.#standing
    machine.setLocalAddresses(this.#host.addresses, sockets.ports, clock.now())
  }

  /** Hears that the system's addresses have changed, and which were lost, though they may be back. */
  async noteAddressChange(lost: readonly IpAddress[]): Promise<void> {
    const isOurs = (address: IpAddress): boolean =>
      this.#host.addresses.some((own) => addressesEqual(own, address))
    await this.#host.lookAtAddresses(lost.some(isOurs))
  }

  /** Opens the sockets again. */
  async rebind(): Promise<void> {
    const { options, sockets } = this.#standing
    try {
      await sockets.rebind()
    } catch (error) {
      // The next look at the interfaces tries again.
      options.onRebindFailed?.(error instanceof Error ? error : new Error(String(error)))
    }
    this.#moved()
  }

  /** Watches no more. */
  stop(): void {
    this.#closed = true
    this.#host.stop()
  }

  /** Takes the mapping back, as far as that can be done without waiting long. */
  async close(): Promise<void> {
    await this.#portMapper?.close()
  }

  #moved(): void {
    if (this.#closed) return
    this.tellAddresses()
    this.#standing.wake()
  }

  #lookForNat64Anew(): void {
    this.#nat64RetryAfter = NAT64_RETRY
    void this.#lookForNat64()
  }

  /** A machine without IPv4 may reach it by what its network translates. */
  async #lookForNat64(): Promise<void> {
    const { options, sockets, clock } = this.#standing
    const question = (this.#nat64Question += 1)
    this.#nat64At = Infinity
    const has = (length: number): boolean =>
      this.#host.addresses.some((address) => address.length === length && !isLoopback(address))
    const find = options.findNat64 ?? findNat64Prefix
    const isWanted = has(16) && !has(4)
    const prefix = isWanted ? await find().catch(() => undefined) : undefined
    if (this.#closed || question !== this.#nat64Question) return
    if (sockets.setPrefix(prefix)) this.#moved()
    if (!isWanted || prefix !== undefined) return
    this.#nat64At = clock.now() + this.#nat64RetryAfter
    this.#nat64RetryAfter = Math.min(2 * this.#nat64RetryAfter, MAX_NAT64_RETRY)
  }

  #openPortMapper(): void {
    const { options, clock, random, machine } = this.#standing
    this.#portMapper = new RunningPortMapper({
      clock,
      random,
      findGateway: options.findGateway ?? defaultGateway,
      onChange: (mapping, { services }) => {
        if (this.#closed) return
        this.#portMapping = mapping
        machine.setPortMapping(mapping?.external, services, clock.now())
        this.#standing.wake()
      },
    })
    void this.#askGateway()
  }

  async #askGateway(): Promise<void> {
    await this.#portMapper?.update(this.#standing.sockets.ports.v4 ?? 0)
  }

  /** Ports that could not be had are tried again, and the gateway may be another one. */
  async #look(): Promise<void> {
    void this.#askGateway()
    if (this.#standing.clock.now() >= this.#nat64At) void this.#lookForNat64()
    if (this.#standing.sockets.ports.v4 === undefined) await this.rebind()
  }

  /** New addresses are news; a lost one means another network, and sockets that may be bound to nothing. */
  async #hearAddresses(isLost: boolean): Promise<void> {
    const { options, machine, sockets, clock } = this.#standing
    options.onNetworkChange?.(isLost)
    if (isLost) {
      machine.handleNetworkChange(clock.now())
      return this.#beginAnew()
    }
    this.#lookForNat64Anew()
    if (sockets.ports.v4 === undefined) return this.rebind()
    this.#moved()
  }

  /** Nobody knows what still holds: not the sockets, nor a connection, nor what the gateway has promised. */
  async #hearWake(slept: number): Promise<void> {
    const { options, machine, clock } = this.#standing
    options.onWake?.(slept)
    this.#portMapper?.noteSleep(slept)
    machine.handleWake(clock.now())
    await this.#beginAnew()
  }

  async #beginAnew(): Promise<void> {
    this.#standing.links.noteNetworkChange()
    this.#lookForNat64Anew()
    await this.rebind()
  }
}
