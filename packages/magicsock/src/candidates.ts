// The addresses at which one peer may be found, where each was learned, and when it was last knocked at. They
// come from control, from the peer's call-me-maybe, and from its own pings; never from WireGuard packets
// (data-plane.md section 5.7).
import { addressesEqual, type Endpoint, type IpAddress, isLinkLocal } from '@mesh/wire/ip'
import { type EndpointKey, endpointKey, keepHop } from './endpoint-key.ts'
import type { Hop } from './hop.ts'
import { mayProbe } from './probe-rules.ts'

/** How many there may be; beyond it the stale and then the overheard ones go. */
export const MAX_CANDIDATES = 100
/** For how long an address counts that only the peer's own pings have shown. */
export const HEARD_LIFETIME = 45_000
/** The shortest time between two discovery pings to one address. */
export const DISCO_PING_INTERVAL = 5_000

/** One address of a peer. */
export interface Candidate {
  /** Where. The object stays the same for as long as the candidate lives. */
  readonly endpoint: Hop
  /** Control lists it. */
  fromControl: boolean
  /** The last call-me-maybe listed it. */
  fromCallMeMaybe: boolean
  /** When the peer last pinged from it. */
  heardAt: number
  /** When it was last pinged. */
  pingedAt: number
  /** The transaction of the last ping heard from it: a repeat is answered once. */
  lastHeardPing: string
}

/** All candidates of one peer. */
export class Candidates {
  readonly #all = new Map<EndpointKey, Candidate>()

  /** How many there are. */
  get size(): number {
    return this.#all.size
  }

  /** Returns the candidates, in the order they were learned. */
  values(): Iterable<Candidate> {
    return this.#all.values()
  }

  /** Returns the candidate at `endpoint`. */
  get(endpoint: Hop): Candidate | undefined {
    return this.#all.get(endpointKey(endpoint))
  }

  /** Tells whether one of them has this address. */
  hasAddress(address: IpAddress): boolean {
    for (const { endpoint } of this.#all.values()) if (addressesEqual(endpoint.address, address)) return true
    return false
  }

  /** Forgets one. */
  delete(endpoint: Hop): void {
    this.#all.delete(endpointKey(endpoint))
  }

  /** Takes control's list. Returns those that are candidates no longer. */
  setFromControl(endpoints: readonly Endpoint[], loopback: boolean): Hop[] {
    for (const candidate of this.#all.values()) candidate.fromControl = false
    for (const endpoint of endpoints.slice(0, MAX_CANDIDATES)) {
      if (mayProbe(endpoint, loopback)) this.#learn(endpoint).fromControl = true
    }
    return this.#removeIf((c) => !c.fromControl && !c.fromCallMeMaybe && c.heardAt === -Infinity)
  }

  /**
   * Takes a call-me-maybe's list: what the last one named and this one does not is deleted outright, and every
   * candidate may be pinged at once. Returns those that are candidates no longer.
   */
  setFromCallMeMaybe(endpoints: readonly Endpoint[], loopback: boolean): Hop[] {
    const usable = endpoints
      .slice(0, MAX_CANDIDATES)
      .filter((e) => mayProbe(e, loopback) && !isLinkLocal(e.address))
    const listed = new Set(usable.map(endpointKey))
    const removed = this.#removeIf((c) => c.fromCallMeMaybe && !listed.has(endpointKey(c.endpoint)))
    for (const endpoint of usable) this.#learn(endpoint).fromCallMeMaybe = true
    this.forgetPings()
    return removed
  }

  /** Takes the source of a ping. Returns its candidate, or `undefined` when it must not become one. */
  noteHeard(from: Hop, loopback: boolean, now: number): Candidate | undefined {
    if (!mayProbe(from, loopback)) return undefined
    if (this.#all.size >= MAX_CANDIDATES && this.get(from) === undefined) this.#makeRoom(now)
    if (this.#all.size >= MAX_CANDIDATES && this.get(from) === undefined) return undefined
    const candidate = this.#learn(from)
    candidate.heardAt = now
    return candidate
  }

  /** Removes those that only the peer's pings had shown, and not lately. `inUse` stays. Returns the removed. */
  removeStale(inUse: Hop | undefined, now: number): Hop[] {
    return this.#removeIf((c) => c.endpoint !== inUse && isStale(c, now))
  }

  /** Forgets when each was pinged, so that all may be pinged now. */
  forgetPings(): void {
    for (const candidate of this.#all.values()) candidate.pingedAt = -Infinity
  }

  #learn(endpoint: Hop): Candidate {
    const key = endpointKey(endpoint)
    let candidate = this.#all.get(key)
    if (candidate === undefined) {
      candidate = {
        endpoint: keepHop(endpoint),
        fromControl: false,
        fromCallMeMaybe: false,
        heardAt: -Infinity,
        pingedAt: -Infinity,
        lastHeardPing: '',
      }
      this.#all.set(key, candidate)
    }
    return candidate
  }

  #makeRoom(now: number): void {
    this.#removeIf((c) => isStale(c, now))
    if (this.#all.size < MAX_CANDIDATES) return
    let oldest: Candidate | undefined
    for (const c of this.#all.values()) {
      if (isOnlyHeard(c) && c.heardAt < (oldest?.heardAt ?? Infinity)) oldest = c
    }
    if (oldest !== undefined) this.delete(oldest.endpoint)
  }

  #removeIf(gone: (candidate: Candidate) => boolean): Hop[] {
    const removed: Hop[] = []
    for (const [key, candidate] of this.#all) {
      if (!gone(candidate)) continue
      this.#all.delete(key)
      removed.push(candidate.endpoint)
    }
    return removed
  }
}

function isOnlyHeard(candidate: Candidate): boolean {
  return !candidate.fromControl && !candidate.fromCallMeMaybe
}

function isStale(candidate: Candidate, now: number): boolean {
  return isOnlyHeard(candidate) && now - candidate.heardAt > HEARD_LIFETIME
}
