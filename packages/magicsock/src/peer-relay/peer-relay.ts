// A peer relay: a node with a reachable UDP port that forwards between two others of its network. It hands out tunnels,
// lets each client show where it is, and then passes packets on as they are, header included; it can read none of them
// (data-plane.md section 5.11, the server).
import { generatePrivateKey, type X25519 } from '@mesh/keys'
import type { Machine, RandomSource } from '@mesh/sansio'
import { decodeDiscoEnvelope, type RelayEndpoint } from '@mesh/wire/disco'
import {
  encodeGeneve,
  GENEVE_DISCO,
  GENEVE_HEADER_LENGTH,
  geneveVni,
  isGeneve,
  isGeneveControl,
} from '@mesh/wire/geneve'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import { isStun } from '@mesh/wire/stun'
import type { SocketPorts } from '../datagram-socket.ts'
import { DiscoDirectory } from '../disco-directory.ts'
import type { LocalEndpoint } from '../endpoints.ts'
import { sameKey } from '../key-table.ts'
import type { PeerId } from '../peer-config.ts'
import { mayProbe } from '../probe-rules.ts'
import type { RelayMap } from '../relay-map.ts'
import { Surroundings } from '../surroundings.ts'
import type { Underlay } from '../underlay.ts'
import type { TunnelGrantor } from './grantor.ts'
import { BIND_LIFETIME, type EndTraffic, STEADY_STATE_LIFETIME, TunnelSession } from './session.ts'

/** How often tunnels whose time is over are looked for. */
export const SESSION_SWEEP_INTERVAL = 30_000
/** How many tunnels a relay has at most. */
export const MAX_SESSIONS = 4_096
/** How many of them one peer may have asked for: whatever keys it names, so that nobody is crowded out by being named. */
export const MAX_SESSIONS_PER_ASKER = 512
/** Tunnel numbers have 24 bits and begin at 1. */
const MAX_VNI = 0xff_ffff

/** How {@link PeerRelay} begins. */
export interface PeerRelayOptions {
  /** What packets are forwarded with. */
  readonly underlay: Pick<Underlay, 'sendDatagram'>
  /** Source of keys, challenges and nonces. */
  readonly random: RandomSource
  /** Monotonic milliseconds. */
  readonly now: number
  /** The UDP port was asked for by its number, so that a NAT may have been told to forward it. */
  readonly fixedPort?: boolean
  /** Loopback addresses are endpoints like any other: for several nodes on one machine. */
  readonly allowLoopback?: boolean
  /** Addresses to name to clients besides those that are found: of a port that is forwarded by hand. */
  readonly staticEndpoints?: readonly Endpoint[]
  /** A faster X25519 than the portable one. */
  readonly x25519?: X25519
}

/** What a {@link PeerRelay} asks of its owner. */
export type PeerRelayOutput =
  /** Send this datagram (STUN or a challenge). `bytes` belong to the owner. */
  { readonly kind: 'datagram'; readonly to: Endpoint; readonly bytes: Uint8Array }

/** A tunnel, for status. */
export interface PeerRelaySession {
  /** Its number. */
  readonly vni: number
  /** The two clients and what they have sent. */
  readonly clients: readonly [EndTraffic, EndTraffic]
}

/** Why a {@link PeerRelay} drops packets: of none of its tunnels, or not from a client that is bound. */
export interface PeerRelayDrops {
  unexpected: number
  unknownTunnel: number
  unbound: number
  badControl: number
}

/** Forwards. */
export class PeerRelay implements Machine<PeerRelayOutput>, TunnelGrantor {
  /** What was dropped. */
  readonly drops: PeerRelayDrops = { unexpected: 0, unknownTunnel: 0, unbound: 0, badControl: 0 }
  readonly #underlay: Pick<Underlay, 'sendDatagram'>
  readonly #random: RandomSource
  readonly #directory: DiscoDirectory
  readonly #surroundings: Surroundings
  readonly #static: readonly Endpoint[]
  readonly #byVni = new Map<number, TunnelSession>()
  readonly #out: PeerRelayOutput[] = []
  #lastVni = 0
  #lamportId = 0n
  #sweepAt = Infinity

  constructor(options: PeerRelayOptions) {
    const { random, x25519 } = options
    this.#underlay = options.underlay
    this.#random = random
    this.#static = options.staticEndpoints ?? []
    this.#directory = new DiscoDirectory({ privateKey: generatePrivateKey(random), random, x25519 })
    const { allowLoopback = false, fixedPort = false } = options
    this.#surroundings = new Surroundings(
      { random, allowLoopback, fixedPort },
      {
        sendStun: (to, bytes) => this.#out.push({ kind: 'datagram', to, bytes }),
        measureRelay: undefined,
        pingRelay: undefined,
        checkCaptivePortal: undefined,
        // The port must stay reachable for whoever will want a tunnel.
        isIdle: () => false,
        home: 0,
        homeHeardAt: -Infinity,
        noteSurroundings: () => undefined,
      },
    )
  }

  /** The disco public key by which clients know this relay: fresh at each start. */
  get discoKey(): Uint8Array {
    return this.#directory.ownKey
  }

  /** Where clients are told to come, besides the static endpoints. */
  get endpoints(): readonly LocalEndpoint[] {
    return this.#surroundings.endpoints
  }

  /** The tunnels there are. */
  get sessions(): readonly PeerRelaySession[] {
    return Array.from(this.#byVni.values(), ({ vni, traffic }) => ({ vni, clients: traffic }))
  }

  /** Replaces the relay map, whose STUN servers say how this relay looks from outside. */
  setRelays(relays: RelayMap, now: number): void {
    this.#surroundings.setRelays(relays, now)
  }

  /** Says where the sockets are bound and which addresses the machine has. */
  setLocalAddresses(addresses: readonly IpAddress[], ports: SocketPorts, now: number): void {
    this.#surroundings.setLocal(addresses, ports, now)
  }

  grant(
    clientDisco: readonly [Uint8Array, Uint8Array],
    asker: PeerId | undefined,
    now: number,
  ): RelayEndpoint | undefined {
    const endpoints = [...this.#static, ...this.#surroundings.endpoints.map((local) => local.endpoint)]
    if (endpoints.length === 0) return undefined
    const session = this.#find(clientDisco, now) ?? this.#allocate(clientDisco, asker, now)
    if (session === undefined) return undefined
    return {
      serverDisco: this.#directory.ownKey,
      clientDisco: session.clientDisco,
      lamportId: session.lamportId,
      vni: session.vni,
      bindLifetime: BIND_LIFETIME,
      steadyStateLifetime: STEADY_STATE_LIFETIME,
      endpoints,
    }
  }

  /** Takes a UDP datagram. `bytes` are forwarded in the very call; `from` is kept. */
  handleDatagram(bytes: Uint8Array, from: Endpoint, now: number): void {
    if (!isGeneve(bytes)) {
      const isExpected = isStun(bytes) && this.#surroundings.handleResponse(bytes, now)
      if (!isExpected) this.drops.unexpected += 1
      return
    }
    const session = this.#byVni.get(geneveVni(bytes))
    if (session === undefined) this.drops.unknownTunnel += 1
    else if (isGeneveControl(bytes))
      this.#handleControl(session, bytes.subarray(GENEVE_HEADER_LENGTH), from, now)
    else this.#forward(session, bytes, from, now)
  }

  handleTimeout(now: number): void {
    this.#surroundings.handleTimeout(now)
    if (now < this.#sweepAt) return
    this.#sweep(now)
    this.#sweepAt = this.#byVni.size === 0 ? Infinity : now + SESSION_SWEEP_INTERVAL
  }

  poll(): PeerRelayOutput | undefined {
    return this.#out.shift()
  }

  pollTimeout(): number {
    return Math.min(this.#surroundings.pollTimeout(), this.#sweepAt)
  }

  #forward(session: TunnelSession, bytes: Uint8Array, from: Endpoint, now: number): void {
    const to = session.forward(from, bytes.length, now)
    if (to === undefined) this.drops.unbound += 1
    else this.#underlay.sendDatagram(to, bytes)
  }

  #handleControl(session: TunnelSession, packet: Uint8Array, from: Endpoint, now: number): void {
    const envelope = decodeDiscoEnvelope(packet)
    const client = envelope && session.clientOf(envelope.senderDisco)
    const message = client && this.#directory.openFrom(client, packet)
    // A client that came by the overlay would have its packets sent around in it.
    if (client === undefined || message === undefined || !mayProbe(from, this.#surroundings.loopback)) {
      this.drops.badControl += 1
      return
    }
    const challenge = session.handleControl(client, message, from, now)
    const sealed = challenge && this.#directory.seal(client, challenge)
    if (sealed === undefined) return
    const header = { protocol: GENEVE_DISCO, control: true, vni: session.vni }
    this.#out.push({ kind: 'datagram', to: from, bytes: encodeGeneve({ ...header, payload: sealed }) })
  }

  #find([a, b]: readonly [Uint8Array, Uint8Array], now: number): TunnelSession | undefined {
    for (const session of this.#byVni.values()) {
      if (session.clientOf(a) === undefined || session.clientOf(b) === undefined) continue
      if (!session.isExpired(now)) return session
      this.#byVni.delete(session.vni)
    }
    return undefined
  }

  #allocate(
    [a, b]: readonly [Uint8Array, Uint8Array],
    asker: PeerId | undefined,
    now: number,
  ): TunnelSession | undefined {
    if (sameKey(a, b)) return undefined
    if (this.#isFullFor(asker)) this.#sweep(now)
    if (this.#isFullFor(asker)) return undefined
    do this.#lastVni = this.#lastVni === MAX_VNI ? 1 : this.#lastVni + 1
    while (this.#byVni.has(this.#lastVni))
    this.#lamportId += 1n
    const clients = [this.#directory.guest(a), this.#directory.guest(b)] as const
    const named = { vni: this.#lastVni, lamportId: this.#lamportId, asker }
    const session = new TunnelSession(named, clients, this.#random, now)
    this.#byVni.set(session.vni, session)
    this.#sweepAt = Math.min(this.#sweepAt, now + SESSION_SWEEP_INTERVAL)
    return session
  }

  #isFullFor(asker: PeerId | undefined): boolean {
    if (this.#byVni.size >= MAX_SESSIONS) return true
    if (asker === undefined) return false
    let count = 0
    for (const session of this.#byVni.values()) if (session.asker === asker) count += 1
    return count >= MAX_SESSIONS_PER_ASKER
  }

  #sweep(now: number): void {
    for (const session of this.#byVni.values()) if (session.isExpired(now)) this.#byVni.delete(session.vni)
  }
}
