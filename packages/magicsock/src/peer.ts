// One peer: its candidates, the best of its paths and how long that may be believed, and the pings that keep
// both true. Everything here starts from a send: a node that only receives never probes (section 5.16).
import { type Endpoint, endpointsEqual } from '@mesh/wire/ip'
import { Candidates, DISCO_PING_INTERVAL } from './candidates.ts'
import type { DiscoIdentity } from './disco-directory.ts'
import { Ledger } from './ledger.ts'
import { betterAddr, GOOD_ENOUGH_LATENCY, type Path, TRUST_UDP_ADDRESS, UNPROBED_MTU } from './path.ts'
import type { PeerConfig, PeerId, PeerStatus, PeerTraffic, Traffic } from './peer-config.ts'
import type { PingPurpose, SentPing } from './pings.ts'

/** A session is active for this long after the last packet somebody sent. */
export const SESSION_ACTIVE_TIMEOUT = 45_000
/** How often the path in use is pinged while the session is active. */
export const HEARTBEAT_INTERVAL = 3_000
/** How often a path that is good but not good enough is compared with the others. */
export const UPGRADE_INTERVAL = 60_000
/** How many call-me-maybes of one peer are obeyed at once, and how fast that is won back (threat 32). */
const CALL_BURST = 10
const CALL_REFILL_INTERVAL = 2_500

/** What a peer needs of the machine it belongs to. */
export interface PeerHost {
  /** Whether loopback addresses may be probed. */
  readonly loopback: boolean
  /** Sends a disco ping to an address or through a relay region. */
  sendPing(peer: Peer, to: Endpoint | number, purpose: PingPurpose, asked: number, now: number): void
  /** Asks the peer, through its relay, to ping us; perhaps only after our own endpoints are fresh. */
  sendCallMeMaybe(peer: Peer, now: number): void
  /** Hears that packets take another path now. */
  notePathChange(peer: Peer): void
}

/** One peer's paths. */
export class Peer {
  /** What control says of it. */
  config: PeerConfig
  /** Who it is in disco; `undefined` when it has no disco key. */
  disco: DiscoIdentity | undefined
  /** Where it may be found. */
  readonly candidates = new Candidates()
  /** What went to it and came from it. */
  readonly traffic: PeerTraffic = {
    sentDirect: none(),
    sentRelay: none(),
    receivedDirect: none(),
    receivedRelay: none(),
  }
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
  #calls = CALL_BURST
  #callsAt = 0

  constructor(config: PeerConfig, host: PeerHost) {
    this.config = config
    this.#host = host
    this.candidates.setFromControl(config.endpoints, host.loopback)
  }

  /** Its number. */
  get id(): PeerId {
    return this.config.id
  }

  /** The direct path packets take, trusted or not. */
  get best(): Path | undefined {
    return this.#best
  }

  /** When the heartbeat is due; `Infinity` while the session is idle. */
  get heartbeatAt(): number {
    return this.#heartbeatAt
  }

  /** Tells whether the direct path is enough by itself. */
  isTrusted(now: number): boolean {
    return this.#best !== undefined && now <= this.#trustUntil
  }

  /** Tells whether something was sent lately. */
  isActive(now: number): boolean {
    return now - this.#lastSend <= SESSION_ACTIVE_TIMEOUT
  }

  /** When the first packet was sent after a rest; `undefined` while resting. */
  tryingSince(now: number): number | undefined {
    return this.isActive(now) ? this.#tryingSince : undefined
  }

  /** Notes that somebody sends. Returns whether that started the heartbeat. */
  noteSend(now: number): boolean {
    if (!this.isActive(now)) this.#tryingSince = now
    this.#lastSend = now
    if (this.#heartbeatAt !== Infinity || this.disco === undefined) return false
    this.#heartbeatAt = now + HEARTBEAT_INTERVAL
    return true
  }

  /** Takes what control says now. */
  update(config: PeerConfig): void {
    this.config = config
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
      return true
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
  notePing(from: Endpoint, txId: string, now: number): boolean {
    const candidate = this.candidates.noteHeard(from, this.#host.loopback, now)
    if (candidate === undefined) return true
    if (this.#best !== undefined && this.candidates.get(this.#best.endpoint) === undefined) this.clearPath()
    if (candidate.pingedAt === -Infinity) this.#nextRoundAt = -Infinity
    if (candidate.lastHeardPing === txId) return false
    candidate.lastHeardPing = txId
    return true
  }

  /** Takes the pong to a ping that went to `to`. Returns false when that is no candidate any more. */
  handlePong(ping: SentPing, to: Endpoint, now: number): boolean {
    const candidate = this.candidates.get(to)
    if (candidate === undefined) return false
    const path: Path = { endpoint: candidate.endpoint, latency: now - ping.at, mtu: UNPROBED_MTU }
    const same = this.#best !== undefined && endpointsEqual(this.#best.endpoint, path.endpoint)
    if (!same && !betterAddr(path, this.#best) && now <= this.#trustUntil) return true
    this.#best = path
    this.#trustUntil = now + TRUST_UDP_ADDRESS
    if (same) return true
    this.ledger.note('path-adopted', path.endpoint, now)
    this.#host.notePathChange(this)
    return true
  }

  /** Hears that a ping stayed unanswered. */
  handlePingTimeout(ping: SentPing, now: number): void {
    if (this.#best === undefined || typeof ping.to === 'number' || now <= this.#trustUntil) return
    if (endpointsEqual(this.#best.endpoint, ping.to)) this.clearPath()
  }

  /** Takes the peer's call. Returns false when it calls too often to be obeyed. */
  handleCallMeMaybe(endpoints: readonly Endpoint[], now: number): boolean {
    this.#calls = Math.min(CALL_BURST, this.#calls + (now - this.#callsAt) / CALL_REFILL_INTERVAL)
    this.#callsAt = now
    if (this.#calls < 1) return false
    this.#calls -= 1
    this.#dropPathIfGone(this.candidates.setFromCallMeMaybe(endpoints, this.#host.loopback))
    this.#nextRoundAt = -Infinity
    this.discover(false, now)
    return true
  }

  /** Does the heartbeat when it is due. */
  handleTimeout(now: number): void {
    if (now < this.#heartbeatAt) return
    if (!this.isActive(now) || this.disco === undefined) {
      this.#heartbeatAt = Infinity
      return
    }
    this.#heartbeatAt = now + HEARTBEAT_INTERVAL
    const inUse = this.#best === undefined ? undefined : this.candidates.get(this.#best.endpoint)
    if (inUse !== undefined) {
      inUse.pingedAt = now
      this.#host.sendPing(this, inUse.endpoint, 'heartbeat', 0, now)
    }
    if (this.#wantsRound(now)) this.discover(true, now)
  }

  /** Hears that an address cannot be reached from here at all. */
  handleUnreachable(endpoint: Endpoint): void {
    const candidate = this.candidates.get(endpoint)
    if (candidate !== undefined) candidate.lastHeardPing = ''
    if (this.#best !== undefined && endpointsEqual(this.#best.endpoint, endpoint)) this.clearPath()
  }

  /** Forgets the best path, and when which candidate was pinged: the network or the peer is another one now. */
  forgetPaths(): void {
    this.candidates.forgetPings()
    this.#lastRound = -Infinity
    this.#nextRoundAt = -Infinity
    this.#lastCall = -Infinity
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
    const { sentDirect, sentRelay, receivedDirect, receivedRelay } = this.traffic
    return {
      endpoint: this.isTrusted(now) ? this.#best?.endpoint : undefined,
      bestEndpoint: this.#best?.endpoint,
      latency: this.#best?.latency,
      homeRelay: this.config.homeRelay,
      active: this.isActive(now),
      lastSend: this.#lastSend === -Infinity ? undefined : this.#lastSend,
      candidates: Array.from(this.candidates.values(), (c) => c.endpoint),
      traffic: {
        sentDirect: { ...sentDirect },
        sentRelay: { ...sentRelay },
        receivedDirect: { ...receivedDirect },
        receivedRelay: { ...receivedRelay },
      },
    }
  }

  #wantsRound(now: number): boolean {
    if (this.#best === undefined || this.#lastRound === -Infinity || now > this.#trustUntil) return true
    return this.#best.latency > GOOD_ENOUGH_LATENCY && now - this.#lastRound >= UPGRADE_INTERVAL
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

  #dropPathIfGone(removed: readonly Endpoint[]): void {
    const best = this.#best
    if (best !== undefined && removed.some((endpoint) => endpointsEqual(endpoint, best.endpoint)))
      this.clearPath()
  }
}

/** Adds one packet to a counter. */
export function countPacket(traffic: Traffic, bytes: number): void {
  traffic.packets += 1
  traffic.bytes += bytes
}

function none(): Traffic {
  return { packets: 0, bytes: 0 }
}
