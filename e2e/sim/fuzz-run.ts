// One random history in one random topology, from one seed, held against the model all the while.
import { formatExplanation } from '@mesh/magicsock'
import type { SimEvent, Timeline } from '@mesh/simnet'
import { Book, BrokenPromise } from './book.ts'
import { Dice } from './dice.ts'
import { randomHistory, type Step } from './history.ts'
import type { SimNode } from './node.ts'
import { describeTopology, randomTopology, type Topology } from './topology.ts'
import { Town } from './town.ts'
import { Trials } from './trials.ts'
import { canBeDirect, type Situation, situationOf } from './truth.ts'

/** Within this time after the last trouble, with both sending, a pair has the path that the model says it can have. */
export const BOUND = 30_000
/** It may fall back to the relay for this long, as when the peer's call no longer names the address in use. */
export const LAPSE = 5_000
/** How often each sends to each. */
const INTERVAL = 1_000
/** A session is whole again after this much calm: a lost handshake is said again after 5 s. */
const SESSION_CALM = 25_000

/** How a run ended. */
export interface Outcome {
  readonly seed: number
  /** What was broken; `undefined` when nothing was. */
  readonly failure: string | undefined
  /** Virtual milliseconds. */
  readonly duration: number
  readonly packets: number
  /** Pairs that were direct in the end, and those that were not. */
  readonly pairs: { readonly direct: number; readonly relayed: number }
  /** For each time that a pair had to find a path: how long after the trouble it was there. */
  readonly recoveries: readonly number[]
}

/** Runs a seed. With a timeline, all that happens is written there. */
export function fuzzRun(seed: number, timeline?: Timeline): Outcome {
  return new FuzzRun(seed, timeline).run()
}

class FuzzRun {
  readonly #seed: number
  readonly #timeline: Timeline | undefined
  readonly #topology: Topology
  readonly #history: readonly Step[]
  readonly #dice: Dice
  readonly #book: Book
  readonly #town: Town
  readonly #situation: Situation
  readonly #trials: Trials
  readonly #recoveries: number[] = []
  /** By pair: since which trouble it has found the path it should have, and when it last had it. */
  readonly #settled = new Map<string, number>()
  readonly #rightAt = new Map<string, number>()
  #talkingSince = 0

  constructor(seed: number, timeline: Timeline | undefined) {
    this.#seed = seed
    this.#timeline = timeline
    this.#dice = new Dice(seed)
    this.#topology = randomTopology(this.#dice)
    this.#history = randomHistory(this.#dice, this.#topology)
    // Half of the worlds are without the search for ports of hard NATs: what happens there has no luck in it.
    const opensDoors = seed % 2 === 0
    // A tenth are with silent disco: those of which no seed was kept before there was such a thing.
    const isSilent = seed % 10 === 5
    this.#situation = situationOf(this.#topology, opensDoors)
    this.#book = new Book(() => this.#now)
    const onEvent = timeline === undefined ? {} : { onEvent: (event: SimEvent) => timeline.record(event) }
    const watch = { ...this.#book.watch, onMapped: (node: SimNode) => this.#trials.noteMapped(node.id) }
    this.#town = new Town(this.#topology, { seed, watch, opensDoors, isSilent, ...onEvent })
    this.#trials = new Trials(this.#town, this.#situation, this.#book, (text) => this.#note(text))
  }

  get #now(): number {
    return this.#town.net.clock.now()
  }

  run(): Outcome {
    let failure: string | undefined
    try {
      this.#play()
    } catch (error) {
      if (!(error instanceof BrokenPromise)) throw error
      failure = error.message
      this.#note(`BROKEN: ${failure}`)
    }
    const pairs = this.#pairs().map(([a, b]) => this.#isDirect(a, b))
    const direct = pairs.filter(Boolean).length
    return {
      seed: this.#seed,
      failure,
      duration: this.#now,
      packets: this.#book.packets,
      pairs: { direct, relayed: pairs.length - direct },
      recoveries: this.#recoveries,
    }
  }

  #play(): void {
    for (const line of describeTopology(this.#topology).split('\n')) this.#note(line)
    this.#town.introduce()
    this.#talkingSince = this.#now
    this.#talk(this.#dice.between(0, 10_000))
    for (const { happening, talk } of this.#history) {
      this.#trials.befall(happening)
      if (happening.kind === 'quiet') this.#talkingSince = this.#now
      this.#talk(talk)
    }
    const lasts = this.#history.map(({ happening }) => ('duration' in happening ? happening.duration : 0))
    this.#note('nothing more happens')
    this.#talk(Math.max(...lasts) + BOUND + LAPSE)
  }

  /** Everybody sends to everybody now and then, and the promises are looked after. */
  #talk(duration: number): void {
    const until = this.#now + duration
    while (this.#now < until) {
      const { nodes } = this.#town
      for (const from of nodes) for (const to of nodes) this.#send(from, to)
      this.#town.net.clock.advanceBy(Math.min(INTERVAL, until - this.#now))
      this.#book.check(SESSION_CALM)
      for (const [a, b] of this.#pairs()) this.#checkPath(a, b)
    }
  }

  #send(from: SimNode, to: SimNode): void {
    if (from !== to && !from.clock.isAsleep) from.send(to.id, this.#book.begin(from.id, to.id))
  }

  #checkPath(a: number, b: number): void {
    const pair = `${a} ${b}`
    const since = Math.max(this.#book.calmSince(a, b), this.#talkingSince)
    const should = canBeDirect(this.#situation, a - 1, b - 1)
    const isDirect = this.#isDirect(a, b)
    if (isDirect === should && this.#now >= since && this.#settled.get(pair) !== since) {
      this.#settled.set(pair, since)
      this.#recoveries.push(this.#now - since)
    }
    if (isDirect === should || should === 'perhaps') this.#rightAt.set(pair, this.#now)
    if (this.#now <= Math.max(since + BOUND, (this.#rightAt.get(pair) ?? 0) + LAPSE)) return
    for (const [from, to] of [[a, b] as const, [b, a] as const]) this.#note(this.#explain(from, to))
    const what = isDirect ? 'is direct, which the model calls impossible' : 'is not direct, but could be'
    const calm = ((this.#now - since) / 1_000).toFixed(0)
    throw new BrokenPromise(`the pair of nodes ${a} and ${b} ${what}, ${calm} s after the last trouble`)
  }

  #pairs(): [number, number][] {
    const ids = this.#town.nodes.map(({ id }) => id)
    return ids.flatMap((a) => ids.filter((b) => a < b).map((b): [number, number] => [a, b]))
  }

  #isDirect(a: number, b: number): boolean {
    return this.#town.node(a).isDirect(b) && this.#town.node(b).isDirect(a)
  }

  #explain(from: number, to: number): string {
    const node = this.#town.node(from)
    const explanation = node.sock.explainPath(to, node.clock.now())
    return `node ${from} of node ${to}: ${explanation && formatExplanation(explanation, node.clock.now())}`
  }

  #note(text: string): void {
    this.#timeline?.note(this.#now, text)
  }
}
