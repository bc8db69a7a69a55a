// A share of the seeds: every nth.
import { fuzzRun, type Outcome } from './fuzz-run.ts'

/** Which seeds are whose. */
export interface Share {
  readonly first: number
  readonly count: number
  /** Of how many shares. */
  readonly step: number
  /** Which of them. */
  readonly offset: number
}

/** Runs a share, and tells of each seed as it ends. */
export function runEvery({ first, count, step, offset }: Share, tell: (outcome: Outcome) => void): void {
  for (let n = offset; n < count; n += step) tell(fuzzRun(first + n))
}
