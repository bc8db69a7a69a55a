// For how long do the NATs of a path keep it while nothing uses it? Asked once a day where control wants to know: when a
// session has come to rest, the path is pinged after ever longer silence (data-plane.md section 5.6). Nothing depends on
// the answer; it explains why a path that rested is, or is not, there at once.
import { type Hop, sameHop } from './hop.ts'

/** The silences that are tried: what NATs and firewalls commonly allow. */
export const LIFETIME_CLIFFS = [10_000, 30_000, 60_000] as const
/** So much before each, for round trips and tardy timers. */
export const CLIFF_SLACK = 2_000
/** How far a ping may miss its time and still say something. */
const TOLERANCE = CLIFF_SLACK / 8
/** The shortest time between two beginnings. */
export const CYCLE_INTERVAL = 24 * 3_600_000

/** What a path has outlived. */
export interface UdpLifetime {
  /** The path it was tried on. */
  readonly path: Hop
  /** The longest silence that the path has outlived, in milliseconds: one of {@link LIFETIME_CLIFFS}, or 0. */
  readonly atLeast: number
  /** The silence that it has not outlived; `undefined` when it has outlived all, or not all have been tried. */
  readonly lessThan: number | undefined
}

/** Probes one peer's path. */
export class LifetimeProbe {
  #path: Hop | undefined
  #cliff = 0
  /** The first ping of this cycle has gone out. */
  #begun = false
  #begunAt = -Infinity
  #dueAt = Infinity
  #found: UdpLifetime | undefined

  /** When to call {@link LifetimeProbe.handleTimeout}; `Infinity` while nothing is on. */
  get timeoutAt(): number {
    return this.#dueAt
  }

  /** What has been found out last. */
  get found(): UdpLifetime | undefined {
    return this.#found
  }

  /** Hears that the session over this path has come to rest; its last packet went or came at `lastTraffic`. */
  rest(path: Hop, lastTraffic: number, now: number): void {
    if (this.#path !== undefined && !sameHop(this.#path, path)) this.reset()
    if (!this.#begun && now - this.#begunAt < CYCLE_INTERVAL) return
    this.#path = path
    const at = lastTraffic + this.#silence()
    this.#dueAt = at < now ? Infinity : at
  }

  /** Hears that the session goes on: the cycle does at its next rest. */
  pause(): void {
    this.#dueAt = Infinity
  }

  /** Forgets the cycle under way: it was about another path. */
  reset(): void {
    this.#path = undefined
    this.#cliff = 0
    this.#begun = false
    this.#dueAt = Infinity
  }

  /** Returns whether the path is to be pinged now. */
  handleTimeout(lastTraffic: number, now: number): boolean {
    if (now < this.#dueAt) return false
    const late = now - (lastTraffic + this.#silence())
    this.#dueAt = late < -TOLERANCE ? now - late : Infinity
    if (Math.abs(late) > TOLERANCE) return false
    if (!this.#begun) this.#begunAt = now
    this.#begun = true
    return true
  }

  /** Hears that the ping was answered, by the path at rest since then. */
  handlePong(now: number): void {
    if (!this.#begun || this.#path === undefined) return
    this.#conclude(LIFETIME_CLIFFS[this.#cliff] ?? 0, undefined)
    this.#cliff += 1
    if (this.#cliff === LIFETIME_CLIFFS.length) this.reset()
    else this.#dueAt = now + this.#silence()
  }

  /** Hears that it was not. */
  handlePingTimeout(): void {
    if (!this.#begun) return
    this.#conclude(LIFETIME_CLIFFS[this.#cliff - 1] ?? 0, LIFETIME_CLIFFS[this.#cliff])
    this.reset()
  }

  #conclude(atLeast: number, lessThan: number | undefined): void {
    if (this.#path !== undefined) this.#found = { path: this.#path, atLeast, lessThan }
  }

  #silence(): number {
    return (LIFETIME_CLIFFS[this.#cliff] ?? Infinity) - CLIFF_SLACK
  }
}
