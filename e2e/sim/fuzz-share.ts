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

/** Runs a share. */
export function runEvery({ first, count, step, offset }: Share): Outcome[] {
  const outcomes: Outcome[] = []
  for (let n = offset; n < count; n += step) outcomes.push(fuzzRun(first + n))
  return outcomes
}
