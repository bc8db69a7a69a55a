// One peer: its candidates, the best of its paths and how long that may be believed, and the pings that keep
// both true. Everything here starts from a send: a node that only receives never probes (section 5.16).
import type { RandomSource } from '@mesh/sansio'
import type { Endpoint } from '@mesh/wire/ip'
import { type Candidate, Candidates, DISCO_PING_INTERVAL } from './candidates.ts'
import type { DiscoIdentity } from './disco-directory.ts'
import { type Hop, sameHop } from './hop.ts'
import { sameKey } from './key-table.ts'
import { Ledger } from './ledger.ts'
import {
  betterAddr,
  GOOD_ENOUGH_LATENCY,
  isDirect,
  type Path,
  TRUST_UDP_ADDRESS,
  UNPROBED_MTU,
} from './path.ts'
import type { PeerConfig, PeerId, PeerStatus } from './peer-config.ts'
import type { PingPurpose, SentPing } from './pings.ts'
import { PlainPaths } from './plain-paths.ts'
import { copyTraffic, noTraffic } from './traffic.ts'

/** A session is active for this long after the last packet somebody sent. */
export const SESSION_ACTIVE_TIMEOUT = 45_000
/** How often the path in use is pinged while the session is active. */
export const HEARTBEAT_INTERVAL = 3_000
/** How often a path that is good but not good enough is compared with the others. */
export const UPGRADE_INTERVAL = 60_000
/**
 * After a call everybody is pinged once more this much later, unless a path has been found: a lost first ping would
 * cost the five seconds until the next round.
 */
export const SECOND_ROUND_DELAY = 600
/** How many call-me-maybes of one peer are obeyed at once, and how fast that is won back (threat 32). */
const CALL_BURST = 10
const CALL_REFILL_INTERVAL = 2_500

/** What a peer needs of the machine it belongs to. */
export interface PeerHost {
  /** Whether loopback addresses may be probed. */
  readonly loopback: boolean
  /** Source of choices between equals. */
  readonly random: RandomSource
  /** Sends a disco ping to an address, through a tunnel, or through a relay region. */
  sendPing(peer: Peer, to: Hop | number, purpose: PingPurpose, asked: number, now: number): void
  /** Asks the peer, through its relay, to ping us; perhaps only after our own endpoints are fresh. */
  sendCallMeMaybe(peer: Peer, now: number): void
  /** Looks for what pings alone do not find: a tunnel on a peer relay, a port of a NAT that gives each its own. */
  seekOtherWays(peer: Peer, now: number): void
  /** Hears that the peer has a timer from now on. */
  noteTimer(peer: Peer): void
  /** Hears that packets take another path now. */
  notePathChange(peer: Peer): void
}

/** One peer's paths. */
export class Peer {
  /** What control says of it. */
  config: PeerConfig
  /** Who it is in disco; `undefined` when it has no disco key. */
  disco: DiscoIdentity | undefined
  /** How it is reached when it speaks WireGuard only. */
  readonly plain: PlainPaths
  /** Where it may be found. */
  readonly candidates = new Candidates()
  /** What went to it and came from it. */
  readonly traffic = noTraffic()
  /** What was tried with it and seen of it. */
  readonly ledger = new Ledger()
  readonly #host: PeerHost
  #best: Path | undefined
  #trustUntil = -Infinity
  #lastSend = -Infinity
  #tryingSince: number | undefined
  #lastRound = -Infinity
  /** No candidate may be pinged before this: spares the walk through them on every relayed packet. */
  #nextRoundAt = -Infinity
  #lastCall = -Infinity
  #heartbeatAt = Infinity
  #secondRoundAt = Infinity
  #calls = CALL_BURST
  #callsAt = 0

  constructor(config: PeerConfig, host: PeerHost) {
    this.config = config
    this.#host = host
    this.plain = new PlainPaths(host.random)
    this.plain.setEndpoints(config.endpoints)
    this.candidates.setFromControl(config.endpoints, host.loopback)
  }

  /** Its number. */
  get id(): PeerId {
    return this.config.id
  }

  /** The UDP path packets take, trusted or not: direct, or through a peer relay. */
  get best(): Path | undefined {
    return this.#best
  }

  /** When to call {@link Peer.handleTimeout}; `Infinity` while nothing is on. */
  get timeoutAt(): number {
    return Math.min(this.#heartbeatAt, this.#secondRoundAt)
  }

  /** Tells whether the UDP path is enough by itself. */
  isTrusted(now: number): boolean {
    return this.#best !== undefined && now <= this.#trustUntil
  }

  /** Tells whether nothing better is to be looked for at every packet: the path is direct and trusted. */
  isSettled(now: number): boolean {
    return this.isTrusted(now) && isDirect(this.#best!)
  }

  /** Tells whether something was sent lately. */
  isActive(now: number): boolean {
    return now - this.#lastSend <= SESSION_ACTIVE_TIMEOUT
  }

  /** When the first packet was sent after a rest; `undefined` while resting. */
  tryingSince(now: number): number | undefined {
    return this.isActive(now) ? this.#tryingSince : undefined
  }

  /** Notes that somebody sends: that starts the heartbeat. */
  noteSend(now: number): void {
    if (!this.isActive(now)) this.#tryingSince = now
    this.#lastSend = now
    if (this.#heartbeatAt !== Infinity || this.disco === undefined) return
    this.#heartbeatAt = now + HEARTBEAT_INTERVAL
    this.#host.noteTimer(this)
  }

  /** Takes what control says now. */
  update(config: PeerConfig): void {
    this.config = config
    this.plain.setEndpoints(config.endpoints)
    this.#dropPathIfGone(this.candidates.setFromControl(config.endpoints, this.#host.loopback))
    this.#nextRoundAt = -Infinity
  }

  /**
   * Pings every candidate whose turn it is, and asks the peer to do the same when `call` says so.
   *
   * A call goes out at most once in five seconds, but also when no ping does: else two peers who call each other in
   * step could go on answering calls and never make one (and a peer without known endpoints would never be found).
   */
  discover(call: boolean, now: number): void {
    if (this.disco === undefined) return
    if (now >= this.#nextRoundAt) this.#pingCandidates(now)
    if (call) this.#host.seekOtherWays(this, now)
    if (!call || now - this.#lastCall < DISCO_PING_INTERVAL) return
    this.#lastCall = now
    this.#host.sendCallMeMaybe(this, now)
  }

  /** Pings by every way that may work, for somebody who waits. Returns whether any ping went out. */
  ask(asked: number, region: number, now: number): boolean {
    if (this.disco === undefined) return false
    if (region !== 0) this.#host.sendPing(this, region, 'asked', asked, now)
    if (this.#best !== undefined && this.isTrusted(now)) {
      this.#host.sendPing(this, this.#best.endpoint, 'asked', asked, now)
      if (isDirect(this.#best)) return true
    }
    for (const c of this.candidates.values()) this.#host.sendPing(this, c.endpoint, 'asked', asked, now)
    this.#lastCall = now
    this.#host.sendCallMeMaybe(this, now)
    return region !== 0 || this.candidates.size > 0
  }

  /** Pings through the relay alone, for somebody who waits. Returns whether the ping went out. */
  askRelay(asked: number, region: number, now: number): boolean {
    if (this.disco === undefined || region === 0) return false
    this.#host.sendPing(this, region, 'asked', asked, now)
    return true
  }

  /** Takes the source of a ping of this peer's. Returns whether the ping is a new one, to be answered. */
  notePing(from: Hop, txId: string, now: number): boolean {
    const candidate = this.candidates.noteHeard(from, this.#host.loopback, now)
    if (candidate === undefined) return true
    this.#dropPathIfNoCandidate()
    if (candidate.pingedAt === -Infinity) this.#nextRoundAt = -Infinity
    if (candidate.lastHeardPing === txId) return false
    candidate.lastHeardPing = txId
    if (from.door !== undefined) this.#pingThroughDoor(candidate, now)
    return true
  }

  /** Takes the pong to a ping that went to `to`. Returns false when that is no candidate any more. */
  handlePong(ping: SentPing, to: Hop, now: number): boolean {
    const latency = now - ping.at
    if (this.#best !== undefined && sameHop(this.#best.endpoint, to)) {
      this.#best = { ...this.#best, latency }
      this.#trustUntil = now + TRUST_UDP_ADDRESS
      return true
    }
    const isFound = ping.purpose === 'search'
    const candidate = isFound
      ? this.candidates.noteHeard(to, this.#host.loopback, now)
      : this.candidates.get(to)
    if (candidate === undefined) return false
    const path: Path = { endpoint: candidate.endpoint, latency, mtu: UNPROBED_MTU }
    if (!this.isTrusted(now) || betterAddr(path, this.#best)) this.#adopt(path, now)
    return true
  }

  /**
   * Takes a tunnel on a peer relay that has been seen to carry. It becomes the path unless the present one is better;
   * of one relay the new tunnel always, for the relay may forward from our new address only.
   */
  handleTunnel(path: Path, now: number): void {
    const server = this.#best?.server
    const isSameRelay = server !== undefined && path.server !== undefined && sameKey(server, path.server)
    if (!this.isTrusted(now) || isSameRelay || betterAddr(path, this.#best)) this.#adopt(path, now)
  }

  /** Hears that a ping stayed unanswered. */
  handlePingTimeout(ping: SentPing, now: number): void {
    if (this.#best === undefined || typeof ping.to === 'number' || now <= this.#trustUntil) return
    if (sameHop(this.#best.endpoint, ping.to)) this.clearPath()
  }

  /** Takes the peer's call. Returns false when it calls too often to be obeyed. */
  handleCallMeMaybe(endpoints: readonly Endpoint[], now: number): boolean {
    if (!this.mayObeyCall(now)) return false
    this.#dropPathIfGone(this.candidates.setFromCallMeMaybe(endpoints, this.#host.loopback))
    this.#nextRoundAt = -Infinity
    this.discover(false, now)
    this.#host.seekOtherWays(this, now)
    if (this.isSettled(now) || this.disco === undefined) return true
    this.#secondRoundAt = now + SECOND_ROUND_DELAY
    this.#host.noteTimer(this)
    return true
  }

  /** Returns whether a call of the peer's may be obeyed now, and counts it. */
  mayObeyCall(now: number): boolean {
    this.#calls = Math.min(CALL_BURST, this.#calls + (now - this.#callsAt) / CALL_REFILL_INTERVAL)
    this.#callsAt = now
    if (this.#calls < 1) return false
    this.#calls -= 1
    return true
  }

  /** Does the second round and the heartbeat when they are due. */
  handleTimeout(now: number): void {
    if (now >= this.#secondRoundAt) this.#pingAgain(now)
    if (now >= this.#heartbeatAt) this.#beat(now)
  }

  #beat(now: number): void {
    if (!this.isActive(now) || this.disco === undefined) {
      this.#heartbeatAt = Infinity
      return
    }
    this.#heartbeatAt = now + HEARTBEAT_INTERVAL
    if (this.#best !== undefined) {
      const inUse = this.candidates.get(this.#best.endpoint)
      if (inUse !== undefined) inUse.pingedAt = now
      this.#host.sendPing(this, this.#best.endpoint, 'heartbeat', 0, now)
    }
    if (this.#wantsRound(now)) this.discover(true, now)
  }

  /** Hears that an address cannot be reached from here at all. */
  handleUnreachable(endpoint: Endpoint): void {
    const candidate = this.candidates.get(endpoint)
    if (candidate !== undefined) candidate.lastHeardPing = ''
    if (this.#best !== undefined && sameHop(this.#best.endpoint, endpoint)) this.clearPath()
  }

  /** Forgets the best path, and when which candidate was pinged: the network or the peer is another one now. */
  forgetPaths(): void {
    this.candidates.forgetPings()
    this.#lastRound = -Infinity
    this.#nextRoundAt = -Infinity
    this.#lastCall = -Infinity
    this.#secondRoundAt = Infinity
    if (this.#best !== undefined) this.clearPath()
  }

  /** Gives up the best path. */
  clearPath(): void {
    this.#best = undefined
    this.#trustUntil = -Infinity
    this.#host.notePathChange(this)
  }

  /** Returns how it stands. */
  status(now: number): PeerStatus {
    const best = this.#best?.endpoint
    const direct = best?.vni === undefined ? best : undefined
    const isTrusted = this.isTrusted(now)
    return {
      endpoint: isTrusted ? direct : undefined,
      bestEndpoint: direct,
      peerRelay: isTrusted && direct === undefined ? best : undefined,
      latency: this.#best?.latency,
      homeRelay: this.config.homeRelay,
      active: this.isActive(now),
      lastSend: this.#lastSend === -Infinity ? undefined : this.#lastSend,
      candidates: Array.from(this.candidates.values(), (c) => c.endpoint),
      traffic: copyTraffic(this.traffic),
    }
  }

  #wantsRound(now: number): boolean {
    if (!this.isSettled(now) || this.#lastRound === -Infinity) return true
    return this.#best!.latency > GOOD_ENOUGH_LATENCY && now - this.#lastRound >= UPGRADE_INTERVAL
  }

  #pingCandidates(now: number): void {
    this.#dropPathIfGone(this.candidates.removeStale(this.#best?.endpoint, now))
    let earliest = now
    for (const candidate of this.candidates.values()) {
      if (now - candidate.pingedAt >= DISCO_PING_INTERVAL) {
        candidate.pingedAt = now
        this.#host.sendPing(this, candidate.endpoint, 'discovery', 0, now)
      }
      earliest = Math.min(earliest, candidate.pingedAt)
    }
    this.#lastRound = now
    this.#nextRoundAt = earliest + DISCO_PING_INTERVAL
  }

  /** The peer has found one of our doors: that is worth a ping at once. */
  #pingThroughDoor(candidate: Candidate, now: number): void {
    if (candidate.pingedAt !== -Infinity) return
    candidate.pingedAt = now
    this.#host.sendPing(this, candidate.endpoint, 'discovery', 0, now)
  }

  /** Everybody once more, soon after a call, unless a path has been found meanwhile. */
  #pingAgain(now: number): void {
    this.#secondRoundAt = Infinity
    if (this.isSettled(now)) return
    this.#nextRoundAt = -Infinity
    this.candidates.forgetPings()
    this.discover(false, now)
  }

  #adopt(path: Path, now: number): void {
    this.#best = path
    this.#trustUntil = now + TRUST_UDP_ADDRESS
    this.ledger.note('path-adopted', path.endpoint, now)
    this.#host.notePathChange(this)
  }

  #dropPathIfGone(removed: readonly Hop[]): void {
    const best = this.#best
    if (best !== undefined && removed.some((hop) => sameHop(hop, best.endpoint))) this.clearPath()
  }

  /** A crowd of pings may have pushed out the candidate that is the path. */
  #dropPathIfNoCandidate(): void {
    const best = this.#best
    if (best !== undefined && isDirect(best) && this.candidates.get(best.endpoint) === undefined)
      this.clearPath()
  }
}
