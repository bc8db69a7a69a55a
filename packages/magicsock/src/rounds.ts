// Rounds of discovery pings over a peer's candidates: each is pinged when its turn has come, and the walk through all of
// them is spared while it is nobody's.
import { type Candidate, type Candidates, DISCO_PING_INTERVAL } from './candidates.ts'

/** Says whose turn it is. */
export class Rounds {
  readonly #candidates: Candidates
  #lastAt = -Infinity
  /** No candidate may be pinged before this. */
  #nextAt = -Infinity

  constructor(candidates: Candidates) {
    this.#candidates = candidates
  }

  /** When the last round was; `-Infinity` for none since all was forgotten. */
  get lastAt(): number {
    return this.#lastAt
  }

  /** Tells whether it may be somebody's turn. */
  isDue(now: number): boolean {
    return now >= this.#nextAt
  }

  /** Returns those whose turn it is, and counts them as pinged. */
  take(now: number): readonly Candidate[] {
    const due: Candidate[] = []
    let earliest = now
    for (const candidate of this.#candidates.values()) {
      if (now - candidate.pingedAt >= DISCO_PING_INTERVAL) {
        candidate.pingedAt = now
        due.push(candidate)
      }
      earliest = Math.min(earliest, candidate.pingedAt)
    }
    this.#lastAt = now
    this.#nextAt = earliest + DISCO_PING_INTERVAL
    return due
  }

  /** Hears that there may be one that has not been pinged yet. */
  hasten(): void {
    this.#nextAt = -Infinity
  }

  /** All may be pinged again at once. */
  again(): void {
    this.#candidates.forgetPings()
    this.hasten()
  }

  /** As if there had been none. */
  forget(): void {
    this.again()
    this.#lastAt = -Infinity
  }
}
