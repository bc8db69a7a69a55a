// `pnpm sim crowd [--nodes N] [--minutes M] [--seed S]`: how fast time goes for many nodes at once. All know all; each
// talks with its neighbours in the order of their numbers, and their pairs are held against the model in the end.
import { Book, BrokenPromise } from './book.ts'
import { Dice } from './dice.ts'
import { crowdTopology, type Topology } from './topology.ts'
import { Town } from './town.ts'
import { canBeDirect, situationOf } from './truth.ts'

/** How often each sends to each of its neighbours. */
const INTERVAL = 1_000
/** With how many of those after it, and as many before it, each talks. */
const NEIGHBOURS = 2
/** After this much talk a session that could not be begun at once has been. */
const SESSION_CALM = 25_000

/** What is asked for. */
export interface CrowdOptions {
  readonly seed: number
  readonly nodes: number
  /** How long they talk, in simulated minutes. */
  readonly minutes: number
}

/** What came of it. */
export interface CrowdOutcome {
  /** What was broken, if anything. */
  readonly failure: string | undefined
  /** Pairs that are direct, those that are relayed, and those of them that should be the other. */
  readonly direct: number
  readonly relayed: number
  readonly wrong: number
  /** Packets through tunnels, and datagrams of all kinds that the hosts sent. */
  readonly packets: number
  readonly datagrams: number
}

/** Lets a crowd talk. */
export function crowdRun({ seed, nodes, minutes }: CrowdOptions): CrowdOutcome {
  const topology = crowdTopology(new Dice(seed), nodes)
  let datagrams = 0
  const onEvent = ({ kind }: { readonly kind: string }): void => {
    if (kind === 'sent') datagrams += 1
  }
  const book = new Book(() => town.net.clock.now())
  const town: Town = new Town(topology, { seed, watch: book.watch, onEvent })
  const pairs = neighboursOf(nodes)
  town.introduce()
  const failure = brokenBy(() => talk(town, book, pairs, minutes * 60_000))
  const isDirect = pairs.map(([a, b]) => town.node(a).isDirect(b) && town.node(b).isDirect(a))
  const direct = isDirect.filter(Boolean).length
  const wrong = countWrong(topology, pairs, isDirect)
  return { failure, direct, relayed: pairs.length - direct, wrong, packets: book.packets, datagrams }
}

/** Runs one and prints how it went; returns the exit code. */
export function crowd(options: CrowdOptions): number {
  const began = performance.now()
  const { failure, direct, relayed, wrong, packets, datagrams } = crowdRun(options)
  const seconds = (performance.now() - began) / 1_000
  const speed = ((options.minutes * 60) / seconds).toFixed(0)
  console.log(
    `${options.nodes} nodes, ${options.minutes} simulated minutes in ${seconds.toFixed(1)} s: ${speed} times as fast\n` +
      `${packets} packets through tunnels, ${datagrams} datagrams; ` +
      `pairs that talk: ${direct} direct, ${relayed} relayed, ${wrong} not as they should be`,
  )
  if (failure !== undefined) console.log(failure)
  return failure === undefined && wrong === 0 ? 0 : 1
}

function neighboursOf(nodes: number): [number, number][] {
  const ids = Array.from({ length: nodes }, (_, n) => n + 1)
  return ids.flatMap((a) => ids.slice(a, a + NEIGHBOURS).map((b): [number, number] => [a, b]))
}

function talk(town: Town, book: Book, pairs: readonly [number, number][], duration: number): void {
  const send = (from: number, to: number): void => town.node(from).send(to, book.begin(from, to))
  for (let at = 0; at < duration; at += INTERVAL) {
    for (const [a, b] of pairs) {
      send(a, b)
      send(b, a)
    }
    town.net.clock.advanceBy(INTERVAL)
    book.check(SESSION_CALM)
  }
}

function brokenBy(run: () => void): string | undefined {
  try {
    run()
    return undefined
  } catch (error) {
    if (error instanceof BrokenPromise) return error.message
    throw error
  }
}

function countWrong(
  topology: Topology,
  pairs: readonly [number, number][],
  isDirect: readonly boolean[],
): number {
  const situation = situationOf(topology)
  return pairs.filter(([a, b], n) => {
    const should = canBeDirect(situation, a - 1, b - 1)
    return should !== 'perhaps' && should !== isDirect[n]
  }).length
}
