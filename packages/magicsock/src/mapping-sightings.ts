// Where do peers see us? Every pong says from which address the ping came. Two observers of one socket are enough to tell
// whether the NAT gives each destination another port: where there is one STUN server, peers are the others.
import { type Endpoint, endpointsEqual, formatAddress, type IpAddress } from '@mesh/wire/ip'
import { isPublic } from './probe-rules.ts'

/** Sightings further apart say nothing together: the NAT may have begun anew between them. */
export const SIGHTING_WINDOW = 10_000
/** How long a verdict stands that nobody has confirmed. */
export const VERDICT_LIFETIME = 5 * 60_000
/** How many observers are remembered. */
const MAX_OBSERVERS = 32

interface Sighting {
  readonly seen: Endpoint
  readonly at: number
}

/** Remembers where we were seen, by whom, and what that means. */
export class MappingSightings {
  /** By the observer's address, the longest ago first. */
  readonly #sightings = new Map<string, Sighting>()
  #verdict: { readonly varies: boolean; readonly at: number } | undefined

  /** Notes that a peer at this address has seen us there. Returns whether that can say anything. */
  note(observer: IpAddress, seen: Endpoint, now: number): boolean {
    // Within one network nothing is translated, or not by the same box.
    if (observer.length !== 4 || seen.address.length !== 4) return false
    if (!isPublic(observer) || !isPublic(seen.address)) return false
    const name = formatAddress(observer)
    this.#sightings.delete(name)
    this.#sightings.set(name, { seen: { address: seen.address.slice(), port: seen.port }, at: now })
    if (this.#sightings.size <= MAX_OBSERVERS) return true
    for (const oldest of this.#sightings.keys()) {
      this.#sightings.delete(oldest)
      break
    }
    return true
  }

  /** Forgets all: it is another network. */
  forget(): void {
    this.#sightings.clear()
    this.#verdict = undefined
  }

  /**
   * Returns whether the NAT gives each destination another port: by what peers saw just now beside what a STUN server saw,
   * else by what STUN servers alone have found, else as last concluded; `undefined` when nobody can tell.
   */
  conclude(stun: Endpoint | undefined, foundByStun: boolean | undefined, now: number): boolean | undefined {
    if (foundByStun === true) return true
    const seen = [...this.#sightings.values()].filter(({ at }) => now - at <= SIGHTING_WINDOW)
    const all = [...(stun === undefined ? [] : [stun]), ...seen.map((sighting) => sighting.seen)]
    if (seen.length > 0 && all.length > 1) {
      const varies = all.some((endpoint) => !endpointsEqual(endpoint, all[0]!))
      this.#verdict = { varies, at: now }
      return varies
    }
    if (foundByStun !== undefined) return foundByStun
    return this.#verdict !== undefined && now - this.#verdict.at <= VERDICT_LIFETIME
      ? this.#verdict.varies
      : undefined
  }
}
