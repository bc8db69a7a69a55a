// A peer relay on the system's sockets. It has sockets of its own, so that its port may be forwarded or opened in a
// firewall by itself, and so that its tunnels are never mixed up with those this node uses.
import type { X25519 } from '@mesh/keys'
import { type Clock, drive, type Driver, type RandomSource } from '@mesh/sansio'
import { systemClock, systemRandom } from '@mesh/sansio/node'
import { type Endpoint, formatAddress, type IpAddress } from '@mesh/wire/ip'
import type { RelayEndpoint } from '@mesh/wire/disco'
import type { DatagramSocket, SocketPorts } from '../datagram-socket.ts'
import type { LocalEndpoint } from '../endpoints.ts'
import type { PeerId } from '../peer-config.ts'
import type { TunnelGrantor } from '../peer-relay/grantor.ts'
import {
  PeerRelay,
  type PeerRelayDrops,
  type PeerRelayOutput,
  type PeerRelaySession,
} from '../peer-relay/peer-relay.ts'
import type { RelayMap } from '../relay-map.ts'
import { localAddresses } from './local-addresses.ts'
import { lookUpRelays } from './look-up.ts'
import { openUdpSockets } from './udp-sockets.ts'

const INTERFACE_POLL_INTERVAL = 5_000

/** How {@link openPeerRelay} begins. */
export interface OpenPeerRelayOptions {
  /** The UDP port to ask for; 0 or none for any. */
  readonly port?: number
  /** Addresses to name to clients besides those that are found. */
  readonly staticEndpoints?: readonly Endpoint[]
  /** Loopback addresses are endpoints like any other: for several nodes on one machine. */
  readonly allowLoopback?: boolean
  /** Says which local addresses to name to clients. Default: `localAddresses`. Asked again every few seconds. */
  readonly readAddresses?: () => IpAddress[]
  /** Sockets to use instead of the system's own. */
  readonly sockets?: DatagramSocket
  /** A faster X25519 than the portable one. */
  readonly x25519?: X25519
  /** Default: the system's monotonic clock. */
  readonly clock?: Clock
  /** Default: the system's random bytes. */
  readonly random?: RandomSource
}

/** A running peer relay: give it to `MagicSockHandle.setPeerRelay`. */
export interface PeerRelayHandle extends TunnelGrantor {
  /** The ports bound now. */
  readonly ports: SocketPorts
  /** Where clients are told to come, besides the static endpoints. */
  readonly endpoints: readonly LocalEndpoint[]
  /** The tunnels there are. */
  readonly sessions: readonly PeerRelaySession[]
  /** What was dropped. */
  readonly drops: Readonly<PeerRelayDrops>
  /** Replaces the relay map, whose STUN servers say how this relay looks from outside. */
  setRelays(relays: RelayMap): void
  /** Closes the sockets. Idempotent. */
  close(): Promise<void>
}

/**
 * Opens sockets and runs a `PeerRelay` on them.
 *
 * @throws Error (with the system's `code`, such as `EADDRINUSE`) when the port cannot be had.
 */
export async function openPeerRelay(options: OpenPeerRelayOptions = {}): Promise<PeerRelayHandle> {
  return new RunningPeerRelay(options, options.sockets ?? (await openUdpSockets({ port: options.port ?? 0 })))
}

class RunningPeerRelay implements PeerRelayHandle {
  readonly #clock: Clock
  readonly #sockets: DatagramSocket
  readonly #machine: PeerRelay
  readonly #driver: Driver
  readonly #readAddresses: () => IpAddress[]
  #addresses: IpAddress[] = []
  #relays: RelayMap | undefined
  #stopPolling: () => void = () => undefined
  #closed = false

  constructor(options: OpenPeerRelayOptions, sockets: DatagramSocket) {
    const { port = 0, clock = systemClock, random = systemRandom, staticEndpoints, x25519 } = options
    this.#clock = clock
    this.#sockets = sockets
    const allowLoopback = options.allowLoopback === true
    this.#readAddresses = options.readAddresses ?? ((): IpAddress[] => localAddresses(allowLoopback))
    this.#machine = new PeerRelay({
      underlay: { sendDatagram: (to, bytes) => sockets.send(bytes, to) },
      random,
      now: clock.now(),
      fixedPort: port !== 0,
      allowLoopback,
      ...(staticEndpoints === undefined ? {} : { staticEndpoints }),
      ...(x25519 === undefined ? {} : { x25519 }),
    })
    this.#driver = drive<PeerRelayOutput>(this.#machine, clock, ({ to, bytes }) => sockets.send(bytes, to))
    sockets.listen({
      onDatagram: (bytes, from) => {
        this.#machine.handleDatagram(bytes, from, clock.now())
        this.#driver.wake()
      },
      // Of a client that is gone, routinely; its tunnel ends by itself.
      onTrouble: () => undefined,
    })
    this.#machine.setRelays(new Map(), clock.now())
    this.#pollInterfaces()
  }

  get ports(): SocketPorts {
    return this.#sockets.ports
  }

  get endpoints(): readonly LocalEndpoint[] {
    return this.#machine.endpoints
  }

  get sessions(): readonly PeerRelaySession[] {
    return this.#machine.sessions
  }

  get drops(): Readonly<PeerRelayDrops> {
    return this.#machine.drops
  }

  grant(
    clientDisco: readonly [Uint8Array, Uint8Array],
    asker: PeerId | undefined,
    now: number,
  ): RelayEndpoint | undefined {
    const allocation = this.#closed ? undefined : this.#machine.grant(clientDisco, asker, now)
    this.#driver.wake()
    return allocation
  }

  setRelays(relays: RelayMap): void {
    this.#relays = relays
    void lookUpRelays(relays).then((found) => {
      if (this.#closed || this.#relays !== relays) return
      this.#machine.setRelays(found, this.#clock.now())
      this.#driver.wake()
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#driver.close()
    this.#stopPolling()
    await this.#sockets.close()
  }

  #pollInterfaces(): void {
    const addresses = this.#addressesNow()
    if (addresses.map(formatAddress).join() !== this.#addresses.map(formatAddress).join()) {
      this.#addresses = addresses
      this.#machine.setLocalAddresses(addresses, this.#sockets.ports, this.#clock.now())
      this.#driver.wake()
    }
    const next = this.#clock.now() + INTERFACE_POLL_INTERVAL
    this.#stopPolling = this.#clock.at(next, () => this.#pollInterfaces())
  }

  /** A system that cannot tell its addresses for a moment (it is out of file descriptors) has those it had. */
  #addressesNow(): IpAddress[] {
    try {
      return this.#readAddresses()
    } catch {
      return this.#addresses
    }
  }
}
