// One peer: its candidates, the best of its paths and how long that may be believed, and the pings that keep
// both true. Everything here starts from a send: a node that only receives never probes (section 5.16).
import type { RandomSource } from '@mesh/sansio'
import type { Endpoint } from '@mesh/wire/ip'
import { BestPath } from './best-path.ts'
import { Candidates } from './candidates.ts'
import type { DiscoIdentity } from './disco-directory.ts'
import { Discovery } from './discovery.ts'
import type { Hop } from './hop.ts'
import { Ledger } from './ledger.ts'
import { LifetimeProbe, type UdpLifetime } from './lifetime-probe.ts'
import { isDirect, type Path } from './path.ts'
import { headersTo, MtuProbe, provenMtu } from './path-mtu.ts'
import type { PeerConfig, PeerId } from './peer-config.ts'
import { type PingErrand, type SentPing, unasked } from './pings.ts'
import { PlainPaths } from './plain-paths.ts'
import type { RelaySource } from './sources.ts'
import { PeerRow, type PeerRows } from './peer-rows.ts'
import { noDetours, type PeerTraffic, trafficOf } from './traffic.ts'
import { HEARTBEAT_INTERVAL } from './trust.ts'

const HEARTBEAT = unasked('heartbeat')
const LIFETIME = unasked('lifetime')

/** What a peer needs of the machine it belongs to. */
export interface PeerHost {
  /** Where what packets touch of a peer is kept. */
  readonly rows: PeerRows
  /** Whether loopback addresses may be probed. */
  readonly loopback: boolean
  /** Whether IPv4 datagrams leave this machine as IPv6 ones (NAT64). */
  readonly isV4Translated: boolean
  /** Whether a path is only pinged when it is used and nothing comes back (silent disco). */
  readonly isSilent: boolean
  /** Source of choices between equals. */
  readonly random: RandomSource
  /** Whether to find out how large the packets are that a path carries. */
  readonly probesMtu: boolean
  /** Whether it is for this side to find out how long a resting path to the peer lives. */
  probesLifetime(peer: Peer): boolean
  /** Sends a disco ping to an address, through a tunnel, or through a relay region. */
  sendPing(peer: Peer, to: Hop | number, errand: PingErrand, now: number): void
  /** Asks the peer, through its relay, to ping us; perhaps only after our own endpoints are fresh. */
  sendCallMeMaybe(peer: Peer, now: number): void
  /** Looks for what pings alone do not find: a tunnel on a peer relay, a port of a NAT that gives each its own. */
  seekOtherWays(peer: Peer, now: number): void
  /** Hears that the peer has come in by a door, or answers through it. */
  noteDoor(peer: Peer, door: number, now: number): void
  /** Hears that the peer has a timer from now on. */
  noteTimer(peer: Peer): void
  /** Hears that packets take another path now. */
  notePathChange(peer: Peer): void
}

/** One peer's paths. */
export class Peer extends PeerRow {
  /** What control says of it. */
  config: PeerConfig
  /** Who it is in disco; `undefined` when it has no disco key. */
  disco: DiscoIdentity | undefined
  /** How it is reached when it speaks WireGuard only. */
  readonly plain: PlainPaths
  /** Where it may be found. */
  readonly candidates = new Candidates()
  /** What went to it and came from it, but not straight. */
  readonly detours = noDetours()
  /** What was tried with it and seen of it. */
  readonly ledger = new Ledger()
  readonly #host: PeerHost
  readonly #best: BestPath
  readonly #lifetime = new LifetimeProbe()
  readonly #mtu = new MtuProbe()
  readonly #discovery: Discovery
  /** When the path was last asked for a sign of life. */
  #askedAt = -Infinity
  #tryingSince: number | undefined
  #relaySource: RelaySource | undefined

  constructor(config: PeerConfig, host: PeerHost) {
    super(host.rows, config.id)
    this.config = config
    this.#host = host
    this.#best = new BestPath(this, () => {
      this.#aim()
      this.#lifetime.reset()
      this.#mtu.reset()
      host.notePathChange(this)
    })
    this.#discovery = new Discovery(this, host)
    this.plain = new PlainPaths(host.random)
    this.plain.setEndpoints(config.endpoints)
    this.candidates.setFromControl(config.endpoints, host.loopback)
    this.#aim()
  }

  /** Its number. */
  get id(): PeerId {
    return this.config.id
  }

  /** The UDP path packets take, trusted or not: direct, or through a peer relay. */
  get best(): Path | undefined {
    return this.#best.path
  }

  /** The peer as a source behind a relay: one object for as long as the relay is the same. */
  sourceBehind(region: number): RelaySource {
    if (this.#relaySource?.region !== region) this.#relaySource = { region, nodeKey: this.config.nodeKey }
    return this.#relaySource
  }

  /** What went to it and came from it; a copy. */
  get traffic(): PeerTraffic {
    return trafficOf(this.sentStraight, this.receivedStraight, this.detours)
  }

  /** How long a path to it lives while nobody uses it, once that has been found out. */
  get lifetime(): UdpLifetime | undefined {
    return this.#lifetime.found
  }

  /** When to call {@link Peer.handleTimeout}; `Infinity` while nothing is on. */
  get timeoutAt(): number {
    return Math.min(this.heartbeatAt, this.#discovery.timeoutAt, this.#lifetime.timeoutAt)
  }

  /** Tells whether the UDP path is enough by itself. */
  isTrusted(now: number): boolean {
    return this.#best.isTrusted(now)
  }

  /** Tells whether nothing better is to be looked for at every packet: the path is direct and trusted. */
  isSettled(now: number): boolean {
    return this.#best.isSettled(now)
  }

  /** When the first packet was sent after a rest; `undefined` while resting. */
  tryingSince(now: number): number | undefined {
    return this.isActive(now) ? this.#tryingSince : undefined
  }

  /** Notes that somebody sends: that starts the heartbeat or, with silent disco, takes its place. */
  noteSend(now: number): void {
    if (!this.isActive(now)) this.#tryingSince = now
    this.noteSent(now)
    if (this.disco === undefined) return
    if (this.#host.isSilent) return this.#beatOnDemand(now)
    if (this.heartbeatAt !== Infinity) return
    this.#lifetime.pause()
    this.heartbeatAt = now + HEARTBEAT_INTERVAL
    this.#host.noteTimer(this)
  }

  /** Notes that something of the peer's came from there, which WireGuard has authenticated. */
  noteAuthentic(from: Hop, now: number): void {
    this.noteTraffic(now)
    if (this.#host.isSilent) this.#best.sustain(from, now)
  }

  /** Takes what control says now. */
  update(config: PeerConfig): void {
    this.config = config
    this.#aim()
    this.plain.setEndpoints(config.endpoints)
    this.dropPathIfGone(this.candidates.setFromControl(config.endpoints, this.#host.loopback))
    this.#discovery.hasten()
  }

  /** Looks for a better path, and asks the peer to do the same when `call` says so. */
  discover(call: boolean, now: number): void {
    if (this.disco !== undefined) this.#discovery.search(call, now)
  }

  /**
   * Pings for somebody who waits: by the path in use, if that is trusted and such a ping has been seen to pass; else by
   * every way that may work. Returns whether any ping went out.
   */
  ask(errand: PingErrand, region: number, now: number): boolean {
    if (this.disco === undefined) return false
    const { path } = this.#best
    const isKnown = path !== undefined && this.isTrusted(now)
    if (isKnown) this.#host.sendPing(this, path.endpoint, errand, now)
    const fits = isKnown && this.#provenMtu(errand.size, path.endpoint) <= path.mtu
    if (fits && isDirect(path)) return true
    if (region !== 0 && !fits) this.#host.sendPing(this, region, errand, now)
    for (const { endpoint } of this.candidates.values()) {
      if (!isKnown || !this.#best.isBy(endpoint)) this.#host.sendPing(this, endpoint, errand, now)
    }
    this.#discovery.call(now)
    return isKnown || region !== 0 || this.candidates.size > 0
  }

  /** Pings through the relay alone, for somebody who waits. Returns whether the ping went out. */
  askRelay(errand: PingErrand, region: number, now: number): boolean {
    if (this.disco === undefined || region === 0) return false
    this.#host.sendPing(this, region, errand, now)
    return true
  }

  /** Takes the source of a ping of this peer's. Returns whether the ping is a new one, to be answered. */
  notePing(from: Hop, txId: string, now: number): boolean {
    // Whoever has an answer through it may make it the path, whatever becomes of the candidate here.
    if (from.door !== undefined) this.#host.noteDoor(this, from.door, now)
    const candidate = this.candidates.noteHeard(from, this.#host.loopback, now)
    if (candidate === undefined) return true
    this.#dropPathIfNoCandidate()
    if (candidate.pingedAt === -Infinity) this.#discovery.hasten()
    if (candidate.lastHeardPing === txId) return false
    candidate.lastHeardPing = txId
    if (from.door !== undefined) this.#discovery.pingThroughDoor(candidate, now)
    return true
  }

  /** Takes the pong to a ping that went to `to`. Returns false when that is no candidate any more. */
  handlePong(ping: SentPing, to: Hop, now: number): boolean {
    const latency = now - ping.at
    const mtu = this.#provenMtu(ping.size, to)
    this.noteTraffic(now)
    if (to.door !== undefined) this.#host.noteDoor(this, to.door, now)
    if (this.#best.isBy(to)) {
      // Large pings come several at once, and wait for each other.
      this.#best.confirm(ping.purpose === 'mtu' ? undefined : latency, mtu, now)
      if (ping.purpose === 'lifetime') this.#handleLifetimePong(now)
      this.#probeMtu(now)
      return true
    }
    const isFound = ping.purpose === 'search'
    const candidate = isFound
      ? this.candidates.noteHeard(to, this.#host.loopback, now)
      : this.candidates.get(to)
    if (candidate === undefined) return false
    this.#adopt({ endpoint: candidate.endpoint, latency, mtu }, now)
    return true
  }

  /** Takes a tunnel on a peer relay that has been seen to carry. */
  handleTunnel(path: Path, now: number): void {
    this.#adopt(path, now)
  }

  /** Hears that a ping stayed unanswered. */
  handlePingTimeout(ping: SentPing, now: number): void {
    if (typeof ping.to === 'number' || !this.#best.isBy(ping.to)) return
    if (ping.purpose === 'lifetime') this.#lifetime.handlePingTimeout()
    if (!this.isTrusted(now)) this.#best.clear()
  }

  /** Takes the peer's call. Returns false when it calls too often to be obeyed. */
  handleCallMeMaybe(endpoints: readonly Endpoint[], now: number): boolean {
    if (!this.mayObeyCall(now)) return false
    this.dropPathIfGone(this.candidates.setFromCallMeMaybe(endpoints, this.#host.loopback))
    if (this.disco !== undefined) this.#discovery.obeyCall(now)
    return true
  }

  /** Returns whether a call of the peer's may be obeyed now, and counts it. */
  mayObeyCall(now: number): boolean {
    return this.#discovery.mayObeyCall(now)
  }

  /** Gives the path up if it is by one of these, which are candidates no longer. */
  dropPathIfGone(removed: readonly Hop[]): void {
    if (removed.some((hop) => this.#best.isBy(hop))) this.#best.clear()
  }

  /** Does the second round, the heartbeat and the ping after a silence when they are due. */
  handleTimeout(now: number): void {
    this.#discovery.handleTimeout(now)
    if (now >= this.heartbeatAt) this.#beat(now)
    const { path } = this.#best
    if (this.#lifetime.handleTimeout(this.lastTraffic, now) && path !== undefined)
      this.#host.sendPing(this, path.endpoint, LIFETIME, now)
  }

  #beat(now: number): void {
    this.heartbeatAt = Infinity
    if (this.disco === undefined || this.#host.isSilent) return
    if (!this.isActive(now)) return this.#rest(now)
    this.heartbeatAt = now + HEARTBEAT_INTERVAL
    this.#askPath(now)
    if (this.#discovery.isWanted(now)) this.discover(true, now)
  }

  /** With silent disco sending takes the place of the heartbeat: who does not send needs no path. */
  #beatOnDemand(now: number): void {
    if (!this.isTrusted(now)) return
    if (this.#best.isFading(now) && now - this.#askedAt >= HEARTBEAT_INTERVAL) this.#askPath(now)
    if (this.#discovery.isWanted(now)) this.discover(true, now)
  }

  #askPath(now: number): void {
    const { path } = this.#best
    if (path === undefined) return
    this.#askedAt = now
    const inUse = this.candidates.get(path.endpoint)
    if (inUse !== undefined) inUse.pingedAt = now
    this.noteTraffic(now)
    this.#host.sendPing(this, path.endpoint, HEARTBEAT, now)
  }

  #probeMtu(now: number): void {
    const { path } = this.#best
    if (path === undefined || !this.#host.probesMtu) return
    const headers = headersTo(path.endpoint, this.#host.isV4Translated)
    for (const size of this.#mtu.take(headers, path.mtu, now))
      this.#host.sendPing(this, path.endpoint, { purpose: 'mtu', asked: 0, size }, now)
  }

  #provenMtu(size: number, to: Hop): number {
    return provenMtu(size, headersTo(to, this.#host.isV4Translated))
  }

  /** Nobody sends any more: the path is left alone, and that is a chance to see for how long it may be. */
  #rest(now: number): void {
    const { path } = this.#best
    if (path !== undefined && this.#host.probesLifetime(this))
      this.#lifetime.rest(path.endpoint, this.lastTraffic, now)
  }

  #handleLifetimePong(now: number): void {
    this.#lifetime.handlePong(now)
    if (this.#lifetime.timeoutAt !== Infinity) this.#host.noteTimer(this)
  }

  /** Hears that an address cannot be reached from here at all. */
  handleUnreachable(endpoint: Endpoint): void {
    const candidate = this.candidates.get(endpoint)
    if (candidate !== undefined) candidate.lastHeardPing = ''
    if (this.#best.isBy(endpoint)) this.#best.clear()
  }

  /** Believes in no path until it answers, and may ask at once: nobody knows how much time has passed. */
  doubt(): void {
    this.#best.doubt()
    this.#lifetime.reset()
    this.#discovery.forget()
  }

  /** Forgets the best path, and when which candidate was pinged: the network or the peer is another one now. */
  forgetPaths(): void {
    this.#discovery.forget()
    this.#best.clear()
  }

  /** Says which packets want nothing but to go or to have come. */
  #aim(): void {
    const { path } = this.#best
    const { expired, isWireGuardOnly } = this.config
    const isStraight = path !== undefined && isDirect(path) && expired !== true
    this.setStraight(isWireGuardOnly !== true, isStraight ? path.endpoint : undefined)
  }

  #adopt(path: Path, now: number): void {
    if (this.#best.offer(path, now)) this.ledger.note('path-adopted', path.endpoint, now)
  }

  /** A crowd of pings may have pushed out the candidate that is the path. */
  #dropPathIfNoCandidate(): void {
    const { path } = this.#best
    if (path !== undefined && isDirect(path) && this.candidates.get(path.endpoint) === undefined)
      this.#best.clear()
  }
}
