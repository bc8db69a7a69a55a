// Where do peers see us? Every pong says from which address the ping came: a peer's word, which may be a lie. Where two STUN
// servers answer, they say whether the NAT gives each destination another port, and such word is but a reason to ask them
// again. Where there is one, several peers beside it may tell, never one alone.
import { type Endpoint, endpointsEqual, type IpAddress } from '@mesh/wire/ip'
import type { PeerId } from './peer-config.ts'
import { isPublic } from './probe-rules.ts'

/** Sightings further apart say nothing together: the NAT may have begun anew between them. */
export const SIGHTING_WINDOW = 10_000
/** How long a verdict stands that nobody has confirmed. */
export const VERDICT_LIFETIME = 5 * 60_000
/** How many peers' word counts beside that of one STUN server. */
export const FEWEST_WITNESSES = 2
/** How many peers' word is remembered. */
const MAX_WITNESSES = 32

interface Sighting {
  readonly seen: Endpoint
  readonly at: number
  /** STUN servers have been asked since it was first heard. */
  isCompared: boolean
}

/** Remembers where we were seen, by whom, and what that means. */
export class MappingSightings {
  /** By the peer that says so, the longest ago first. */
  readonly #sightings = new Map<PeerId, Sighting>()
  #stun: Endpoint | undefined
  #verdict: { readonly varies: boolean; readonly at: number } | undefined

  /** Notes that a peer, at this address, has seen us there. Returns whether that is news to be compared with what STUN says. */
  note(peer: PeerId, observer: IpAddress, seen: Endpoint, now: number): boolean {
    // Within one network nothing is translated, or not by the same box.
    if (observer.length !== 4 || seen.address.length !== 4) return false
    if (!isPublic(observer) || !isPublic(seen.address)) return false
    const before = this.#sightings.get(peer)
    const isCompared = before !== undefined && before.isCompared && endpointsEqual(before.seen, seen)
    this.#sightings.delete(peer)
    const kept = { address: seen.address.slice(), port: seen.port }
    this.#sightings.set(peer, { seen: kept, at: now, isCompared })
    for (const oldest of this.#sightings.keys()) {
      if (this.#sightings.size <= MAX_WITNESSES) break
      this.#sightings.delete(oldest)
    }
    return !isCompared
  }

  /** Forgets a peer's word. */
  forgetPeer(peer: PeerId): void {
    this.#sightings.delete(peer)
  }

  /** Forgets all: it is another network. */
  forget(): void {
    this.#sightings.clear()
    this.#stun = undefined
    this.#verdict = undefined
  }

  /**
   * Returns whether the NAT gives each destination another port: by what STUN servers alone have found, else by what most
   * peers saw just now beside what one server saw, else as last concluded; `undefined` when nobody can tell.
   */
  conclude(stun: Endpoint | undefined, foundByStun: boolean | undefined, now: number): boolean | undefined {
    // Seen elsewhere than the last time: what peers saw before that says nothing.
    if (stun !== undefined && this.#stun !== undefined && !endpointsEqual(stun, this.#stun))
      this.#sightings.clear()
    this.#stun = stun ?? this.#stun
    for (const sighting of this.#sightings.values()) sighting.isCompared = true
    if (foundByStun !== undefined) return foundByStun
    const varies = stun && this.#judge(stun, now)
    if (varies !== undefined) this.#verdict = { varies, at: now }
    return this.#verdict !== undefined && now - this.#verdict.at <= VERDICT_LIFETIME
      ? this.#verdict.varies
      : undefined
  }

  /**
   * Tells whether peers, be it one alone, have seen us where STUN servers did, and none elsewhere. A single one may lie, so
   * that this is no verdict; but it is a reason to be patient.
   */
  agree(now: number): boolean {
    const stun = this.#stun
    const recent = [...this.#sightings.values()].filter(({ at }) => now - at <= VERDICT_LIFETIME)
    return stun !== undefined && recent.length > 0 && recent.every(({ seen }) => endpointsEqual(seen, stun))
  }

  #judge(stun: Endpoint, now: number): boolean | undefined {
    const fresh = [...this.#sightings.values()].filter(({ at }) => now - at <= SIGHTING_WINDOW)
    if (fresh.length < FEWEST_WITNESSES) return undefined
    const same = fresh.filter(({ seen }) => endpointsEqual(seen, stun)).length
    return same * 2 === fresh.length ? undefined : same * 2 < fresh.length
  }
}
