// Which relay region is home: the fastest, but with reluctance to move, for every move is news to every peer
// (data-plane.md section 3.6).
import type { RelayMap } from './relay-map.ts'

/** For how long measurements count. */
export const HISTORY_WINDOW = 5 * 60_000 + 5_000
/** A rival that saves less than this is no reason to move. */
export const PREFERRED_ABSOLUTE_DIFFERENCE = 10
/** A region heard from within this time is alive, whatever STUN says. */
export const HEARD_RECENTLY = 8_000
/** When nothing at all could be measured, a home heard from within this time stays. */
export const HEARD_LONG_AGO = 120_000

/** What the choice is made from. */
export interface HomeInput {
  /** Round trips measured by this check, by region. */
  readonly latency: ReadonlyMap<number, number>
  /** The relays. */
  readonly relays: RelayMap
  /** The home so far; 0 for none. */
  readonly home: number
  /** When this check began. */
  readonly startedAt: number
  /** When something last came from the home region. */
  readonly homeHeardAt: number
}

/** Remembers recent measurements and chooses. */
export class HomeChoice {
  readonly #history: { readonly at: number; readonly latency: ReadonlyMap<number, number> }[] = []

  /** Takes a check's measurements and returns the region that should be home; 0 when there is no telling. */
  choose(input: HomeInput, now: number): number {
    this.#remember(input.latency, now)
    if (input.latency.size === 0) return now - input.homeHeardAt <= HEARD_LONG_AGO ? input.home : 0
    const [rival, best] = this.#fastest(input)
    if (input.home === 0 || rival === input.home || !isAccessible(input, now)) return rival
    const current = (input.latency.get(input.home) ?? 0) * scoreOf(input.relays, input.home)
    // No measurement counts as 0 here: a home that answers no STUN but is heard from stays.
    const tooLittle = current - best < PREFERRED_ABSOLUTE_DIFFERENCE
    const tooSimilar = best > (current * 2) / 3
    return tooLittle || tooSimilar ? input.home : rival
  }

  /** Forgets the past: it was another network. */
  forget(): void {
    this.#history.length = 0
  }

  #remember(latency: ReadonlyMap<number, number>, now: number): void {
    this.#history.push({ at: now, latency })
    while (this.#history.length > 0 && now - this.#history[0]!.at > HISTORY_WINDOW) this.#history.shift()
  }

  /** Returns the region with the least recent latency among those that answered now, and that latency, scaled. */
  #fastest({ latency, relays }: HomeInput): readonly [region: number, latency: number] {
    let rival = 0
    let best = Infinity
    for (const region of latency.keys()) {
      const recent = Math.min(...this.#history.map((past) => past.latency.get(region) ?? Infinity))
      const scaled = recent * scoreOf(relays, region)
      if (scaled < best || (scaled === best && region < rival)) {
        rival = region
        best = scaled
      }
    }
    return [rival, best]
  }
}

function isAccessible({ latency, home, startedAt, homeHeardAt, relays }: HomeInput, now: number): boolean {
  if (!relays.has(home)) return false
  return latency.has(home) || homeHeardAt >= startedAt || now - homeHeardAt <= HEARD_RECENTLY
}

function scoreOf(relays: RelayMap, region: number): number {
  return relays.get(region)?.score ?? 1
}
