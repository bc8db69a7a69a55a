// `pnpm sim explain`: is what explainPath says true? Random networks of two nodes, some with blocked UDP, a peer that is
// not running, or nothing sent; the first cause that the first node names is held against the cause that follows from
// where the boxes stand. Prints the confusion table.
import type { PathCauseCode } from '@mesh/magicsock'
import { Dice } from './dice.ts'
import { describeTopology, randomTopology, type Topology } from './topology.ts'
import { Town } from './town.ts'
import { type Circumstances, trueCause } from './true-cause.ts'
import { situationOf } from './truth.ts'

/** The part of verdicts that must be true. */
export const WANTED = 0.95
/** How long the two talk before the verdict. */
const TALK = 20_000
const INTERVAL = 500

/** One verdict and the truth. */
export interface Judged {
  readonly seed: number
  readonly truth: PathCauseCode | 'isolated'
  readonly verdict: PathCauseCode | undefined
  readonly network: string
}

/** Makes a network up, lets its nodes talk, and asks the first why its path is what it is. */
export function judge(seed: number): Judged {
  const dice = new Dice(seed)
  const all = randomTopology(dice)
  const topology: Topology = { ...all, machines: all.machines.slice(0, 2) }
  const circumstances: Circumstances = {
    isPeerOff: dice.happens(0.05),
    isSilent: dice.happens(0.05),
    blocked: new Set(topology.boxes.flatMap((_, n) => (dice.happens(0.15) ? [n] : []))),
  }
  const isDirect = { value: false }
  const verdict = ask(topology, circumstances, seed, isDirect)
  const situation = { ...situationOf(topology), blocked: circumstances.blocked }
  const truth = trueCause(situation, circumstances, isDirect.value)
  const blocked = [...circumstances.blocked].map((box) => `box ${box} blocks UDP`)
  const off = circumstances.isPeerOff ? ['node 2 is off'] : []
  return { seed, truth, verdict, network: [describeTopology(topology), ...blocked, ...off].join('\n') }
}

function ask(
  topology: Topology,
  { blocked, isPeerOff, isSilent }: Circumstances,
  seed: number,
  isDirect: { value: boolean },
): PathCauseCode | undefined {
  const town = new Town(topology, { seed })
  const [one, two] = [town.nodes[0]!, town.nodes[1]!]
  for (const box of blocked) town.boxes[box]!.blocks = () => true
  town.introduce()
  if (isPeerOff) {
    two.host.link.up = false
    two.clock.sleep()
  }
  for (let t = 0; t < TALK; t += INTERVAL) {
    if (!isSilent) one.send(2, t)
    if (!isSilent && !isPeerOff) two.send(1, t)
    town.net.clock.advanceBy(INTERVAL)
  }
  isDirect.value = one.isDirect(2)
  return one.sock.explainPath(2, one.clock.now())?.causes[0]?.code
}

/** Returns the table of truths and verdicts, the commonest first. */
export function confusion(all: readonly Judged[]): string {
  const counts = new Map<string, number>()
  for (const { truth, verdict } of all) {
    const row = `${truth.padEnd(18)} ${(verdict ?? 'none').padEnd(18)} ${truth === verdict ? ' ' : '!'}`
    counts.set(row, (counts.get(row) ?? 0) + 1)
  }
  const rows = [...counts]
    .sort((a, b) => b[1] - a[1])
    .map(([row, count]) => `${row} ${String(count).padStart(5)}`)
  return [`${'truth'.padEnd(18)} verdict`, ...rows].join('\n')
}

/** Judges so many networks; prints the table and a few mistakes; returns the exit code. */
export function explain(first: number, count: number): number {
  const all = Array.from({ length: count }, (_, n) => judge(first + n))
  const wrong = all.filter(({ truth, verdict }) => truth !== verdict)
  console.log(confusion(all))
  const part = 1 - wrong.length / all.length
  const seeds = wrong
    .slice(0, 8)
    .map(({ seed, truth, verdict }) => `seed ${seed}: ${verdict}, in truth ${truth}`)
  if (seeds.length > 0) console.log(`\n${seeds.join('\n')}`)
  if (count === 1) console.log(all[0]!.network)
  const relayed = all.filter(({ truth }) => truth !== 'direct')
  const ofRelayed = 1 - wrong.filter(({ truth }) => truth !== 'direct').length / Math.max(relayed.length, 1)
  console.log(
    `${all.length} networks, ${percent(part)} of the verdicts true; ${percent(WANTED)} wanted ` +
      `(${percent(ofRelayed)} of the ${relayed.length} that are not direct)`,
  )
  return part >= WANTED ? 0 : 1
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)} %`
}
