// `pnpm sim fuzz --seeds N [--seed S] [--threads T]`: many random histories. Prints how they went; a seed that fails is
// told with its timeline and with the command that runs it again.
import { Worker } from 'node:worker_threads'
import { Timeline } from '@mesh/simnet'
import { BOUND, fuzzRun, type Outcome } from './fuzz-run.ts'
import { runEvery, type Share } from './fuzz-share.ts'

/** What is asked for. */
export interface FuzzOptions {
  readonly first: number
  readonly count: number
  readonly threads: number
}

/** Returns the whole story of a seed: its outcome, and the last of what happened. */
export function tellSeed(
  seed: number,
  lines = 1_000_000,
): { readonly outcome: Outcome; readonly story: string } {
  const timeline = new Timeline({ lines })
  const outcome = fuzzRun(seed, timeline)
  return { outcome, story: timeline.toString() }
}

/** Runs them; returns the exit code. */
export async function fuzz({ first, count, threads }: FuzzOptions): Promise<number> {
  const began = performance.now()
  if (count === 1) console.log(tellSeed(first).story)
  const outcomes = await runAll(first, count, threads)
  const failed = outcomes.filter(({ failure }) => failure !== undefined)
  if (failed[0] !== undefined && count > 1) console.log(`\n${tellSeed(failed[0].seed, 60).story}`)
  console.log(summaryOf(outcomes, (performance.now() - began) / 1_000))
  return failed.length === 0 ? 0 : 1
}

function summaryOf(outcomes: readonly Outcome[], seconds: number): string {
  const sum = (of: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, each) => total + of(each), 0)
  const failed = sum(({ failure }) => (failure === undefined ? 0 : 1))
  const recoveries = outcomes.flatMap((outcome) => outcome.recoveries).sort((a, b) => a - b)
  const at = (part: number): string =>
    `${((recoveries[Math.floor(part * (recoveries.length - 1))] ?? 0) / 1_000).toFixed(1)} s`
  return [
    `${outcomes.length} seeds, ${failed} failed, in ${seconds.toFixed(1)} s`,
    `${(sum(({ duration }) => duration) / 3_600_000).toFixed(1)} virtual hours, ${sum(({ packets }) => packets)} packets; ` +
      `pairs in the end: ${sum(({ pairs }) => pairs.direct)} direct, ${sum(({ pairs }) => pairs.relayed)} relayed`,
    `the right path after trouble: ${recoveries.length} times, median ${at(0.5)}, 99 % ${at(0.99)}, most ${at(1)}; bound ${BOUND / 1_000} s`,
  ].join('\n')
}

/** Shares seeds out among threads; each takes every nth. What fails is told at once: a run may take an hour. */
async function runAll(first: number, count: number, threads: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const tell = (outcome: Outcome): void => {
    outcomes.push(outcome)
    const { seed, failure } = outcome
    if (failure !== undefined)
      console.log(`seed ${seed}: ${failure}\n  again: pnpm sim fuzz --seed ${seed} --seeds 1`)
  }
  if (threads === 1) runEvery({ first, count, step: 1, offset: 0 }, tell)
  else
    await Promise.all(
      Array.from({ length: threads }, (_, offset) =>
        runOnThread({ first, count, step: threads, offset }, tell),
      ),
    )
  return outcomes.sort((a, b) => a.seed - b.seed)
}

function runOnThread(share: Share, tell: (outcome: Outcome) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('fuzz-worker.ts', import.meta.url), { workerData: share })
    worker.on('message', tell)
    worker.once('exit', () => resolve())
    worker.once('error', reject)
  })
}
