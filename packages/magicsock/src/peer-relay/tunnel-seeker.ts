// Finds paths through peer relays: nodes of the network with a reachable UDP port that forward between two others.
// Asks every relay there is for a tunnel, tells the peer of it, and takes our end of it by a handshake (data-plane.md
// section 5.11). A tunnel counts as a path once a ping through it has been answered.
import { TokenBucket } from '@mesh/sansio'
import type {
  AllocateRequest,
  AllocateResponse,
  CallMeMaybeVia,
  DiscoMessage,
  RelayEndpoint,
} from '@mesh/wire/disco'
import { endpointsEqual } from '@mesh/wire/ip'
import type { DiscoIdentity } from '../disco-directory.ts'
import type { DropReason } from '../drops.ts'
import { type Hop, sameHop } from '../hop.ts'
import { sameKey } from '../key-table.ts'
import type { Path } from '../path.ts'
import { UNPROBED_MTU } from '../path-mtu.ts'
import type { Peer } from '../peer.ts'
import type { SentPing } from '../pings.ts'
import { mayProbe } from '../probe-rules.ts'
import type { TunnelGrantor } from './grantor.ts'
import { Handshake, type HandshakeHost, type HandshakeSubject, type Teller } from './handshake.ts'
import { sortedPair, TunnelRequest } from './tunnel-request.ts'

/** The shortest time between two searches for tunnels to one peer. */
export const SEEK_INTERVAL = 30_000
/** How often a tunnel that works is compared with others. */
export const TUNNEL_UPGRADE_INTERVAL = 60_000
/** How many handshakes one peer may have us in at a time, and how many addresses of a relay are asked (threat 32). */
export const MAX_HANDSHAKES_PER_PEER = 8
const MAX_SERVER_ENDPOINTS = 16
/**
 * How many tunnels one peer may ask our relay for at once, and how fast that is won back, in milliseconds: in
 * {@link SEEK_INTERVAL} that makes 300, one for each peer that a large node cannot reach.
 */
export const REQUEST_BURST = 128
const REQUEST_INTERVAL = 100

/** What a seeker needs of the machine it belongs to. */
export interface TunnelSeekerHost extends HandshakeHost {
  /** Our disco public key. */
  readonly ownDisco: Uint8Array
  /** Whether loopback addresses may be probed. */
  readonly loopback: boolean
  /** Makes somebody to talk to out of a peer relay's disco key. */
  guest(key: Uint8Array): DiscoIdentity
  /** Opens a packet that the guest must have sealed. */
  openFrom(guest: DiscoIdentity, packet: Uint8Array): DiscoMessage | undefined
  /** Sends a message to a peer through its relay. */
  tell(peer: Peer, message: DiscoMessage, now: number): void
  /** Counts a dropped packet. */
  drop(reason: DropReason): void
}

/** What is said about tunnels; all of it through a relay. */
export type TunnelMessage = CallMeMaybeVia | AllocateRequest | AllocateResponse

/** Seeks. */
export class TunnelSeeker {
  readonly #host: TunnelSeekerHost
  readonly #soughtAt = new WeakMap<Peer, number>()
  readonly #requests = new Set<TunnelRequest>()
  readonly #handshakes = new Set<Handshake>()
  /** How much each peer may still ask our relay for. Kept while the peer is: a new disco key buys nothing. */
  readonly #requestLimits = new WeakMap<Peer, TokenBucket>()
  #servers: readonly Peer[] = []
  /** Our own peer relay, when this node is one. */
  #grantor: TunnelGrantor | undefined
  #generation = 0

  constructor(host: TunnelSeekerHost) {
    this.#host = host
  }

  /** How many peer relays there are, our own among them. */
  get size(): number {
    return this.#servers.length + (this.#grantor === undefined ? 0 : 1)
  }

  /** Says which peers are peer relays for us. */
  setServers(servers: readonly Peer[]): void {
    this.#servers = servers
  }

  /** Says which peer relay this node is itself. */
  setGrantor(grantor: TunnelGrantor | undefined): void {
    this.#grantor = grantor
  }

  /** Asks every peer relay for a tunnel, unless the path is direct, or they were asked lately. */
  seek(peer: Peer, now: number): void {
    if (!this.#isWanted(peer, now) || peer.disco === undefined) return
    this.#soughtAt.set(peer, now)
    const pair = sortedPair(this.#host.ownDisco, peer.disco.key)
    const own = this.#grantor?.grant(pair, undefined, now)
    if (own !== undefined) this.#handleAllocation(peer, own, 'us', now)
    for (const server of this.#servers) this.#request(peer, server, pair, now)
  }

  /** Takes an allocation from a peer relay, or from the peer that has made one. */
  handleMessage(message: TunnelMessage, from: Peer, now: number): void {
    switch (message.kind) {
      case 'allocate-request':
        return this.#grant(message.clientDisco, message.generation, from, now)
      case 'allocate-response':
        for (const request of this.#requests) {
          if (!request.isAnsweredBy(message, from)) continue
          this.#requests.delete(request)
          this.#handleAllocation(request.peer, message, from, now)
        }
        return
      case 'call-me-maybe-via':
        return this.#handleCallVia(message, from, now)
    }
  }

  /** Takes a disco packet with the control bit. Returns false when it is no challenge of a relay we have bound at. */
  handleControl(packet: Uint8Array, from: Hop, now: number): boolean {
    // What is answered here is then pinged, too (threat 32).
    if (!mayProbe(from, this.#host.loopback)) return false
    for (const handshake of this.#handshakes) {
      const { server, allocation } = handshake.subject
      if (allocation.vni !== from.vni) continue
      const message = this.#host.openFrom(server, packet)
      if (message?.kind === 'relay-challenge' && handshake.handleChallenge(message, from, now)) return true
    }
    return false
  }

  /** Hears that a ping has come out of a tunnel. */
  handlePing(from: Hop, now: number): void {
    for (const handshake of this.#handshakes) {
      if (handshake.entry !== undefined && sameHop(handshake.entry, from)) handshake.handlePing(now)
    }
  }

  /** Hears that a ping through a tunnel has been answered: it carries. */
  handlePong({ peer, to, at }: SentPing, now: number): void {
    if (typeof to === 'number') return
    for (const handshake of this.#handshakes) {
      const { entry, subject } = handshake
      if (subject.peer !== peer || entry === undefined || !sameHop(entry, to)) continue
      this.#handshakes.delete(handshake)
      const path: Path = { endpoint: entry, latency: now - at, mtu: UNPROBED_MTU, server: subject.server.key }
      peer.handleTunnel(path, now)
    }
  }

  /** Gives up everything under way to a peer, and lets it be sought again at once. */
  forgetPeer(peer: Peer): void {
    this.#soughtAt.delete(peer)
    for (const request of this.#requests) {
      if (request.peer === peer || request.server === peer) this.#requests.delete(request)
    }
    for (const handshake of this.#handshakes) {
      if (handshake.subject.peer === peer) this.#handshakes.delete(handshake)
    }
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    for (const request of this.#requests) if (!request.handleTimeout(now)) this.#requests.delete(request)
    for (const handshake of this.#handshakes) {
      if (!handshake.handleTimeout(now)) this.#handshakes.delete(handshake)
    }
  }

  /** Returns when something is due. */
  pollTimeout(): number {
    let at = Infinity
    for (const request of this.#requests) at = Math.min(at, request.pollTimeout())
    for (const handshake of this.#handshakes) at = Math.min(at, handshake.pollTimeout())
    return at
  }

  #isWanted(peer: Peer, now: number): boolean {
    if (this.#servers.length === 0 && this.#grantor === undefined) return false
    if (peer.config.understandsPeerRelays === false || peer.isSettled(now)) return false
    const since = now - (this.#soughtAt.get(peer) ?? -Infinity)
    return since >= (peer.isTrusted(now) ? TUNNEL_UPGRADE_INTERVAL : SEEK_INTERVAL)
  }

  #request(peer: Peer, server: Peer, pair: readonly [Uint8Array, Uint8Array], now: number): void {
    for (const { peer: to, server: of } of this.#requests) if (to === peer && of === server) return
    const asked = { peer, server, generation: this.#nextGeneration() }
    const send = (request: TunnelRequest, at: number): void => this.#host.tell(server, request.message, at)
    this.#requests.add(new TunnelRequest(asked, pair, send, now))
  }

  /** One of the two must be who asks, and who asks must be allowed to. */
  #grant(pair: readonly [Uint8Array, Uint8Array], generation: number, from: Peer, now: number): void {
    if (this.#grantor === undefined || from.config.mayUseOurRelay !== true || from.disco === undefined) return
    if (!this.#mayRequest(from, now)) return this.#host.drop('disco-too-often')
    const { key } = from.disco
    if (!pair.some((client) => sameKey(client, key))) return
    const allocation = this.#grantor.grant(sortedPair(...pair), from.id, now)
    if (allocation !== undefined) {
      this.#host.tell(from, { ...allocation, kind: 'allocate-response', generation }, now)
    }
  }

  #mayRequest(peer: Peer, now: number): boolean {
    const limit = this.#requestLimits.get(peer) ?? new TokenBucket(REQUEST_BURST, REQUEST_INTERVAL, now)
    this.#requestLimits.set(peer, limit)
    return limit.take(now)
  }

  #handleCallVia(message: CallMeMaybeVia, from: Peer, now: number): void {
    if (from.config.understandsPeerRelays === false || from.disco === undefined) return
    const [a, b] = sortedPair(this.#host.ownDisco, from.disco.key)
    if (!sameKey(a, message.clientDisco[0]) || !sameKey(b, message.clientDisco[1])) return
    if (!from.mayObeyCall(now)) return this.#host.drop('disco-too-often')
    this.#handleAllocation(from, message, 'peer', now)
  }

  #handleAllocation(peer: Peer, allocation: RelayEndpoint, toldBy: Teller, now: number): void {
    for (const handshake of this.#handshakes) {
      if (handshake.subject.peer !== peer) continue
      if (isOldNews(allocation, toldBy, handshake.subject)) return
      if (isReplaced(allocation, toldBy, handshake.subject)) this.#handshakes.delete(handshake)
    }
    if (toldBy !== 'peer') this.#host.tell(peer, { ...allocation, kind: 'call-me-maybe-via' }, now)
    if (isPathOf(peer, allocation) && peer.isTrusted(now)) return
    this.#shake(peer, allocation, toldBy, now)
  }

  #shake(peer: Peer, allocation: RelayEndpoint, toldBy: Teller, now: number): void {
    const { vni } = allocation
    const endpoints = allocation.endpoints
      .filter((endpoint) => mayProbe(endpoint, this.#host.loopback))
      .slice(0, MAX_SERVER_ENDPOINTS)
      .map(({ address, port }) => ({ address: address.slice(), port, vni }))
    const others = [...this.#handshakes].filter(({ subject }) => subject.peer === peer)
    if (endpoints.length === 0 || others.length >= MAX_HANDSHAKES_PER_PEER) return
    const server = this.#host.guest(allocation.serverDisco)
    const subject = { peer, toldBy, server, allocation, endpoints, generation: this.#nextGeneration() }
    this.#handshakes.add(new Handshake(subject, this.#host, now))
  }

  /** Never 0, which means that there is no handshake. */
  #nextGeneration(): number {
    this.#generation = this.#generation === 0xffff_ffff ? 1 : this.#generation + 1
    return this.#generation
  }
}

/** The same tunnel again, or, by the relay's own count, an older one of the same teller's. */
function isOldNews(told: RelayEndpoint, toldBy: Teller, { allocation, ...known }: HandshakeSubject): boolean {
  if (!sameKey(told.serverDisco, allocation.serverDisco)) return false
  if (known.toldBy === toldBy) return told.lamportId <= allocation.lamportId
  const { vni, lamportId, endpoints } = allocation
  if (told.vni !== vni || told.lamportId !== lamportId || told.endpoints.length !== endpoints.length)
    return false
  return told.endpoints.every((endpoint, i) => endpointsEqual(endpoint, endpoints[i]!))
}

/** Anybody may claim a greater count in a relay's name: it ends what the same one has told, and nobody else's. */
function isReplaced(
  told: RelayEndpoint,
  toldBy: Teller,
  { allocation, ...known }: HandshakeSubject,
): boolean {
  return known.toldBy === toldBy && sameKey(told.serverDisco, allocation.serverDisco)
}

function isPathOf(peer: Peer, { serverDisco, vni }: RelayEndpoint): boolean {
  const { best } = peer
  return best?.server !== undefined && best.endpoint.vni === vni && sameKey(best.server, serverDisco)
}
