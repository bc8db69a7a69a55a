// How a peer is looked for: pings to every candidate whose turn it is, calls by which the peer is asked to do the same, and
// what a call of its own sets off.
import { TokenBucket } from '@mesh/sansio'
import { type Candidate, DISCO_PING_INTERVAL } from './candidates.ts'
import { GOOD_ENOUGH_LATENCY } from './path.ts'
import type { Peer, PeerHost } from './peer.ts'
import { unasked } from './pings.ts'
import { Rounds } from './rounds.ts'

/** How many call-me-maybes of one peer are obeyed at once, and how fast that is won back: each pings whom it names (threat 32). */
const CALL_BURST = 10
const CALL_INTERVAL = 2_500
/** How often a path that is good but not good enough is compared with the others. */
export const UPGRADE_INTERVAL = 60_000
/**
 * After a call everybody is pinged once more this much later, unless a path has been found: a lost first ping would
 * cost the five seconds until the next round.
 */
export const SECOND_ROUND_DELAY = 600

const DISCOVERY = unasked('discovery')

/** Looks for one peer. */
export class Discovery {
  readonly #peer: Peer
  readonly #host: PeerHost
  readonly #rounds: Rounds
  readonly #callLimit = new TokenBucket(CALL_BURST, CALL_INTERVAL, 0)
  #lastCall = -Infinity
  #secondRoundAt = Infinity

  constructor(peer: Peer, host: PeerHost) {
    this.#peer = peer
    this.#host = host
    this.#rounds = new Rounds(peer.candidates)
  }

  /** When to call {@link Discovery.handleTimeout}; `Infinity` while nothing is on. */
  get timeoutAt(): number {
    return this.#secondRoundAt
  }

  /** Tells whether it is time for a round: nothing good is known, or what is known is to be compared with the rest. */
  isWanted(now: number): boolean {
    const { best } = this.#peer
    if (best === undefined || !this.#peer.isSettled(now) || this.#rounds.lastAt === -Infinity) return true
    return best.latency > GOOD_ENOUGH_LATENCY && now - this.#rounds.lastAt >= UPGRADE_INTERVAL
  }

  /**
   * Pings every candidate whose turn it is, and asks the peer to do the same when `call` says so.
   *
   * A call goes out at most once in five seconds, but also when no ping does: else two peers who call each other in
   * step could go on answering calls and never make one (and a peer without known endpoints would never be found).
   */
  search(call: boolean, now: number): void {
    if (this.#rounds.isDue(now)) this.#pingCandidates(now)
    if (call) this.#host.seekOtherWays(this.#peer, now)
    if (call && now - this.#lastCall >= DISCO_PING_INTERVAL) this.call(now)
  }

  /** Asks the peer to ping us. */
  call(now: number): void {
    this.#lastCall = now
    this.#host.sendCallMeMaybe(this.#peer, now)
  }

  /** Returns whether a call of the peer's may be obeyed now, and counts it. */
  mayObeyCall(now: number): boolean {
    return this.#callLimit.take(now)
  }

  /** Obeys a call of the peer's, whose candidates are those that it named. */
  obeyCall(now: number): void {
    this.hasten()
    this.search(false, now)
    this.#host.seekOtherWays(this.#peer, now)
    if (this.#peer.isSettled(now)) return
    this.#secondRoundAt = now + SECOND_ROUND_DELAY
    this.#host.noteTimer(this.#peer)
  }

  /** The peer has found one of our doors: that is worth a ping at once. */
  pingThroughDoor(candidate: Candidate, now: number): void {
    if (candidate.pingedAt !== -Infinity) return
    candidate.pingedAt = now
    this.#host.sendPing(this.#peer, candidate.endpoint, DISCOVERY, now)
  }

  /** Hears that there may be a candidate that has not been pinged yet. */
  hasten(): void {
    this.#rounds.hasten()
  }

  /** As if the peer had never been looked for. */
  forget(): void {
    this.#rounds.forget()
    this.#lastCall = -Infinity
    this.#secondRoundAt = Infinity
  }

  /** Pings everybody once more, soon after a call, unless a path has been found meanwhile. */
  handleTimeout(now: number): void {
    if (now < this.#secondRoundAt) return
    this.#secondRoundAt = Infinity
    if (this.#peer.isSettled(now) || this.#peer.disco === undefined) return
    this.#rounds.again()
    this.search(false, now)
  }

  #pingCandidates(now: number): void {
    const peer = this.#peer
    peer.dropPathIfGone(peer.candidates.removeStale(peer.best?.endpoint, now))
    for (const { endpoint } of this.#rounds.take(now)) this.#host.sendPing(peer, endpoint, DISCOVERY, now)
  }
}
