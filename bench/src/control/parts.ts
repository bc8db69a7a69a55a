// The parts of one measurement of one control server by one swarm. Each has a limit: what does not end in it is cut, said so,
// and its figure is the limit then, so that a server that melts shows by how much at least.
import { keyOf } from '@mesh/e2e/swarm/light-client'
import type { Swarm } from '@mesh/e2e/swarm/swarm'
import { round } from '../machine.ts'
import { median } from '../rounds.ts'
import type { MeasuredControl } from './servers.ts'

/** The most that each part may take, milliseconds. */
const LIMITS = {
  register: 300_000,
  follow: 180_000,
  /** Until everybody knows everybody, when all follow. */
  agree: 60_000,
  settle: 180_000,
  changes: 90_000,
  admit: 45_000,
  storm: 180_000,
} as const
/** Changes are told one after the other, so far apart that none waits for another. */
const CHANGES = Number(process.env['BENCH_CHANGES'] ?? 12)
const CHANGE_EVERY_MS = 1500
const ADMISSIONS = 3
/** How long a change may take to be seen; who does not see it by then counts with this. */
const SEEN_MS = 15_000
/** A server that uses less of one core than this is at rest. */
const AT_REST = 0.05
const REST_MS = 1000

/** What one size came to; times in milliseconds. A part that was not come to has no figures. */
export interface Measured {
  /** Until all were registered. */
  readonly register: number
  /** Until all of them had their first map, all coming at once, and how many had when the limit came. */
  readonly follow: number
  readonly mapped: number
  /** Which part of a core it used before the changes: more than a little when it had not come to rest by its limit. */
  readonly idle: number
  /** Processor time of the server a change, over all nodes, and over how many changes. */
  readonly cpuPerChange: number
  readonly changes: number
  readonly p50ToAll: number
  readonly p99ToAll: number
  /** Kibibytes. */
  readonly rssPerNode: number
  /** Until a new node was known to all. */
  readonly admit: number
  /** From the start of the killed server until all had a map again; its processor time; how many had when the limit came. */
  readonly storm: number
  readonly stormCpu: number
  readonly stormMapped: number
  /** How many nodes did not know all others, before the storm or a while after it. */
  readonly unaware: number
}

/** Measures one server, part after part. */
export class Parts {
  readonly #server: MeasuredControl
  readonly #swarm: Swarm
  readonly #say: (line: string) => void
  readonly #empty: number
  #unaware = 0

  /** @param say - Hears how it goes. */
  constructor(server: MeasuredControl, swarm: Swarm, say: (line: string) => void) {
    this.#server = server
    this.#swarm = swarm
    this.#say = say
    this.#empty = server.residentBytes()
  }

  /** Yields the figures of each part when it is over, so that those before a failure are not lost. */
  async *run(nodes: number): AsyncGenerator<Partial<Measured>> {
    yield await this.#register(nodes)
    yield await this.#follow()
    yield await this.#changes(nodes)
    yield { rssPerNode: (this.#server.residentBytes() - this.#empty) / nodes / 1024 }
    yield await this.#admit()
    yield await this.#storm()
    yield { unaware: this.#unaware }
  }

  async #register(nodes: number): Promise<Partial<Measured>> {
    const began = performance.now()
    await this.#swarm.register(await this.#control(), this.#server.authKey, nodes, LIMITS.register)
    const register = performance.now() - began
    this.#say(`registered in ${seconds(register)}`)
    return { register }
  }

  async #follow(): Promise<Partial<Measured>> {
    const { mapped, last } = await this.#followAll('following', LIMITS.follow)
    return { follow: last, mapped }
  }

  /** Returns how many have a map, and how long the last of them took. */
  async #followAll(what: string, limit: number): Promise<{ mapped: number; last: number }> {
    const began = now()
    const moments = await this.#swarm.follow(await this.#control(), limit)
    const mapped = moments.length
    const isCut = mapped < this.#swarm.size
    const last = isCut ? now() - began : moments.reduce((latest, at) => Math.max(latest, at), began) - began
    this.#say(
      isCut
        ? `${what} was cut after ${seconds(last)}: ${mapped} of ${this.#swarm.size} had a map`
        : `${what}: all had a map after ${seconds(last)}`,
    )
    // Where not all are there it is known how it ends.
    const unaware = await this.#swarm.unaware(isCut ? 0 : LIMITS.agree)
    if (unaware > 0) this.#say(`${unaware} nodes do not know all others`)
    this.#unaware = Math.max(this.#unaware, unaware)
    return { mapped, last }
  }

  async #changes(nodes: number): Promise<Partial<Measured>> {
    // The first tells what the map did not know yet: home relay, endpoints. It is not counted.
    for (let i = 0; i < 2; i += 1) await this.#change(i, i % nodes)
    const idle = await this.#rest()
    if (idle > AT_REST) this.#say(`it uses ${round(idle)} of a core before the changes, and comes to no rest`)
    const delays: number[] = []
    const began = performance.now()
    const cpu = this.#server.cpuSeconds()
    let changes = 0
    for (; changes < CHANGES && performance.now() - began < LIMITS.changes; changes += 1) {
      const next = performance.now() + CHANGE_EVERY_MS
      delays.push(...(await this.#change(1000 + changes, changes % 2)))
      await sleep(next - performance.now())
    }
    const cpuPerChange = ((this.#server.cpuSeconds() - cpu) * 1000) / changes
    delays.sort((a, b) => a - b)
    const p50ToAll = median(delays)
    const p99ToAll = delays[Math.floor(delays.length * 0.99)] ?? Number.NaN
    if (changes < CHANGES) this.#say(`the changes were cut after ${changes} of ${CHANGES}`)
    this.#say(`a change costs ${round(cpuPerChange)} ms and reaches all but 1 % within ${round(p99ToAll)} ms`)
    return { idle, cpuPerChange, changes, p50ToAll, p99ToAll }
  }

  /** One node tells another endpoint. Returns how long each of the others took to hear it. */
  async #change(number: number, client: number): Promise<readonly number[]> {
    const endpoint = `203.0.113.7:${10_000 + number}`
    await this.#swarm.watch(`"${endpoint}"`, client)
    const at = await this.#swarm.tell(client, [endpoint])
    return (await this.#swarm.seen(SEEN_MS)).map((moment) => moment - at)
  }

  /** Waits until the server is at rest, or the limit comes. Returns which part of a core it uses then. */
  async #rest(): Promise<number> {
    for (const end = performance.now() + LIMITS.settle; ; ) {
      const [cpu, began] = [this.#server.cpuSeconds(), performance.now()]
      await sleep(REST_MS)
      const share = ((this.#server.cpuSeconds() - cpu) * 1000) / (performance.now() - began)
      if (share < AT_REST || performance.now() > end) return share
    }
  }

  async #admit(): Promise<Partial<Measured>> {
    const samples: number[] = []
    for (const end = now() + LIMITS.admit; samples.length < ADMISSIONS && now() < end; ) {
      await this.#swarm.watch(`"node-${this.#swarm.size}.`)
      const began = now()
      await this.#swarm.register(await this.#control(), this.#server.authKey, 1, end - now())
      await this.#swarm.follow(await this.#control(), end - now())
      const seen = await this.#swarm.seen(SEEN_MS)
      samples.push(seen.reduce((latest, at) => Math.max(latest, at), began) - began)
    }
    const admit = median(samples)
    this.#say(`a new node is known to all after ${Math.round(admit)} ms`)
    return { admit }
  }

  /** The server is killed; everybody comes back at once. */
  async #storm(): Promise<Partial<Measured>> {
    await this.#server.restart()
    await this.#swarm.drop()
    const cpu = this.#server.cpuSeconds()
    const { mapped, last } = await this.#followAll('the storm', LIMITS.storm)
    const stormCpu = (this.#server.cpuSeconds() - cpu) * 1000
    return { storm: last, stormCpu, stormMapped: mapped }
  }

  #control(): ReturnType<typeof keyOf> {
    return keyOf(this.#server.url)
  }
}

function now(): number {
  return performance.timeOrigin + performance.now()
}

function seconds(ms: number): string {
  return `${round(ms / 1000)} s`
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
