// The side behind a NAT that gives each destination another port. Its mapping toward the peer has a port that nobody
// knows; so it opens many sockets (doors) toward the peer's one endpoint, and the peer tries ports of our address: with
// 256 doors among 64 512 ports, half of all searches hit within 175 tries (the birthday paradox). The door that is hit
// becomes the path; the others are closed.
import type { DiscoMessage, DoorsAccept } from '@mesh/wire/disco'
import type { Endpoint } from '@mesh/wire/ip'
import { HEARD_LIFETIME } from '../candidates.ts'
import type { Hop } from '../hop.ts'
import type { NetcheckReport } from '../netcheck-report.ts'
import type { Peer } from '../peer.ts'
import { isWorthSearching, SEARCH_DURATION } from './worth.ts'

/** How many doors are opened. */
export const DOORS = 256
/** So many of them at a time, this far apart: a NAT has to draw a port for each. */
const DOORS_AT_ONCE = 32
const DOOR_INTERVAL = 10
/** How often it is looked whether a door has become the path. */
const LOOK_INTERVAL = 250
/** Offered when ordinary pings have not found a path within this time. */
export const OFFER_AFTER = 1_500
/** The same where nobody can tell whether our NAT is such a one: one STUN server has answered, and too few peers. */
export const OFFER_AFTER_UNSURE = 3_000
/** The same where the peers that have answered, too few to prove it, see us where the server does: hardly such a NAT. */
export const OFFER_AFTER_UNLIKELY = 8_000
/** How long an offer waits to be taken. */
const OFFER_LIFETIME = 8_000
/** When the next offer to a peer may follow one that came to nothing; the last repeats. */
export const OFFER_PAUSES = [5_000, 30_000, 120_000, 600_000, 1_800_000] as const

/** What the doors need of the machine they belong to. */
export interface DoorsHost {
  /** The last netcheck. */
  readonly report: NetcheckReport | undefined
  /** Tells whether all peers that have said where they see us, be it one alone, see what STUN servers see. */
  isSeenAlike(now: number): boolean
  /** Sends a message to a peer through its relay. */
  tell(peer: Peer, message: DiscoMessage, now: number): void
  /** Pings a peer through a door, which is opened by that. */
  knock(peer: Peer, to: Hop, now: number): void
  /** Closes a door. */
  closeDoor(door: number): void
}

/** An attempt at one peer: offered, then open. */
interface Attempt {
  readonly peer: Peer
  /** When it is over. */
  endsAt: number
  /** Where the doors are opened toward; `undefined` until the offer is taken. */
  toward: Endpoint | undefined
  readonly doors: Set<number>
  nextAt: number
}

interface History {
  failures: number
  notBefore: number
}

/** Opens and closes doors. One peer at a time. */
export class Doors {
  readonly #host: DoorsHost
  readonly #history = new WeakMap<Peer, History>()
  /** Who has come in by a door, or answered through it, and when last: it stays open for a while after. */
  readonly #guests = new Map<number, Map<Peer, number>>()
  #attempt: Attempt | undefined
  #last = 0

  constructor(host: DoorsHost) {
    this.#host = host
  }

  /** Offers a peer to open doors, when that may lead to a path and nothing else has. */
  consider(peer: Peer, now: number): void {
    const { report } = this.#host
    if (this.#attempt !== undefined || report === undefined) return
    const varies = report.mappingVariesByDestIp
    const address = report.globalV4[0]?.address
    const since = peer.tryingSince(now)
    if (varies === false || address === undefined || since === undefined) return
    if (now - since < this.#patience(varies, now)) return
    if (now < (this.#history.get(peer)?.notBefore ?? -Infinity) || !isWorthSearching(peer, now)) return
    this.#attempt = {
      peer,
      endsAt: now + OFFER_LIFETIME,
      toward: undefined,
      doors: new Set(),
      nextAt: Infinity,
    }
    this.#host.tell(peer, { kind: 'doors-offer', address, doors: DOORS }, now)
  }

  /** Takes the peer's word that it will try, and from where. */
  handleAccept({ endpoint }: DoorsAccept, from: Peer, now: number): void {
    const attempt = this.#attempt
    if (attempt?.peer !== from || attempt.toward !== undefined) return
    if (endpoint.port === 0 || endpoint.address.length !== 4 || !from.candidates.hasAddress(endpoint.address))
      return
    attempt.toward = { address: endpoint.address.slice(), port: endpoint.port }
    attempt.endsAt = now + SEARCH_DURATION
    from.ledger.note('doors-opened', attempt.toward, now)
    this.#openSome(attempt, now)
  }

  /** Hears that a peer has come in by a door or answers through it, whomever it was opened for. */
  noteGuest(door: number, peer: Peer, now: number): void {
    this.#guests.set(door, (this.#guests.get(door) ?? new Map<Peer, number>()).set(peer, now))
  }

  /** Closes everything that only this peer uses. */
  forgetPeer(peer: Peer): void {
    if (this.#attempt?.peer === peer) this.#close(this.#attempt)
    this.#history.delete(peer)
    this.#closeUnused((guest) => guest !== peer)
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    this.#closeUnused((_guest, heardAt) => now - heardAt <= HEARD_LIFETIME)
    const attempt = this.#attempt
    if (attempt === undefined) return
    if (now >= attempt.endsAt || attempt.peer.isSettled(now)) this.#end(attempt, now)
    else if (now >= attempt.nextAt) this.#openSome(attempt, now)
  }

  /** Returns when something is due. */
  pollTimeout(): number {
    return this.#attempt === undefined ? Infinity : Math.min(this.#attempt.endsAt, this.#attempt.nextAt)
  }

  #patience(varies: true | undefined, now: number): number {
    if (varies === true) return OFFER_AFTER
    return this.#host.isSeenAlike(now) ? OFFER_AFTER_UNLIKELY : OFFER_AFTER_UNSURE
  }

  #openSome(attempt: Attempt, now: number): void {
    for (let i = 0; i < DOORS_AT_ONCE && attempt.doors.size < DOORS; i += 1) {
      const door = (this.#last += 1)
      attempt.doors.add(door)
      this.#host.knock(attempt.peer, { ...attempt.toward!, door }, now)
    }
    attempt.nextAt = now + (attempt.doors.size < DOORS ? DOOR_INTERVAL : LOOK_INTERVAL)
  }

  #end(attempt: Attempt, now: number): void {
    const { peer } = attempt
    const isFound = peer.isSettled(now)
    const failures = isFound ? 0 : (this.#history.get(peer)?.failures ?? 0) + 1
    const pause = OFFER_PAUSES[Math.min(failures, OFFER_PAUSES.length) - 1] ?? 0
    this.#history.set(peer, { failures, notBefore: now + pause })
    this.#close(attempt)
  }

  /** Closes the doors nobody came in by. */
  #close({ doors }: Attempt): void {
    this.#attempt = undefined
    for (const door of doors) if (!this.#guests.has(door)) this.#host.closeDoor(door)
  }

  /** Closes the doors of which this is true for no guest. */
  #closeUnused(stays: (guest: Peer, heardAt: number) => boolean): void {
    for (const [door, guests] of this.#guests) {
      for (const [guest, heardAt] of guests) if (!stays(guest, heardAt)) guests.delete(guest)
      if (guests.size > 0) continue
      this.#guests.delete(door)
      this.#attempt?.doors.delete(door)
      this.#host.closeDoor(door)
    }
  }
}
