// The worker threads of a relay: each one a part, joined to every other, and begun anew when it dies.
import { MessageChannel, Worker } from 'node:worker_threads'
import type { RelayStats } from '../stats.ts'
import type { RelayServer } from './create-relay.ts'
import type { MainCalls, PartCalls, PartData } from './part-worker.ts'
import { PortCalls } from './port-calls.ts'

/** Beside this file: the source when run from sources, the bundle's entry of that name when installed. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './part-worker.ts' : './part-worker.js',
  import.meta.url,
)

/** How long after its death a thread is begun anew: twice as long each time, unless it lived well in between. */
const FIRST_DELAY = 100
const MAX_DELAY = 10_000
const LIVED_WELL = 60_000

interface Member {
  readonly worker: Worker
  readonly calls: PortCalls<PartCalls>
  readonly since: number
  listening: boolean
}

/** What a {@link Crew} is told. */
export interface CrewOptions {
  /** How many threads. */
  readonly count: number
  /** What each one is told; asked anew each time, so that settings changed meanwhile are in it. */
  readonly data: () => PartData
  readonly answers: MainCalls
  /** The part of the main thread. */
  readonly relay: RelayServer
  /** Is told of a thread that died and will be begun anew. */
  readonly onDeath: (error: Error) => void
}

/** The parts that have threads of their own. */
export class Crew {
  readonly #options: CrewOptions
  readonly #members = new Set<Member>()
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  #delay = FIRST_DELAY
  #closed = false

  private constructor(options: CrewOptions) {
    this.#options = options
  }

  /** Starts the threads; resolves when all of them listen, and rejects when one cannot. */
  static async start(options: CrewOptions): Promise<Crew> {
    const crew = new Crew(options)
    try {
      for (let i = 0; i < options.count; i += 1) await crew.#begin()
    } catch (error) {
      await crew.close(0)
      throw error
    }
    return crew
  }

  /** How many threads serve now. */
  get size(): number {
    return [...this.#members].filter(({ listening }) => listening).length
  }

  /** Asks every thread that is there the same. What a thread that dies meanwhile would have said is left out. */
  async ask<K extends keyof PartCalls>(
    name: K,
    argument: Parameters<PartCalls[K]>[0],
  ): Promise<Awaited<ReturnType<PartCalls[K]>>[]> {
    const asked = await Promise.allSettled([...this.#members].map(({ calls }) => calls.call(name, argument)))
    return asked.filter((each) => each.status === 'fulfilled').map(({ value }) => value)
  }

  stats(): Promise<RelayStats[]> {
    return this.ask('stats', undefined)
  }

  /** Drains every thread and ends it. Idempotent. */
  async close(within: number): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers) clearTimeout(timer)
    await this.ask('drain', within)
    await Promise.all([...this.#members].map(({ worker }) => worker.terminate()))
  }

  async #begin(): Promise<void> {
    const worker = new Worker(WORKER, { workerData: this.#options.data(), name: 'relay part' })
    const calls = new PortCalls<PartCalls>(worker, this.#options.answers)
    const member: Member = { worker, calls, since: performance.now(), listening: false }
    let death = new Error('the thread ended')
    worker.on('error', (error) => {
      death = error instanceof Error ? error : new Error(String(error))
    })
    worker.on('exit', () => {
      this.#members.delete(member)
      calls.end(death)
      if (member.listening) this.#mourn(member, death)
    })
    // Joined first: whoever connects finds everybody.
    const joined = this.#join(member)
    this.#members.add(member)
    await joined
    try {
      await calls.call('listen', undefined)
    } catch (error) {
      await worker.terminate()
      throw error
    }
    member.listening = true
  }

  async #join({ calls }: Member): Promise<void> {
    const own = new MessageChannel()
    const told = [this.#options.relay.joinPart(own.port1), calls.call('join', own.port2, [own.port2])]
    for (const other of this.#members) {
      const { port1, port2 } = new MessageChannel()
      told.push(other.calls.call('join', port1, [port1]), calls.call('join', port2, [port2]))
    }
    // Whichever of the two has died is begun anew, and joined then.
    await Promise.allSettled(told)
  }

  #mourn({ since }: Member, death: Error): void {
    if (this.#closed) return
    this.#options.onDeath(death)
    if (performance.now() - since > LIVED_WELL) this.#delay = FIRST_DELAY
    this.#beginLater()
  }

  #beginLater(): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#begin().catch((error: unknown) => {
        if (this.#closed) return
        this.#options.onDeath(error instanceof Error ? error : new Error(String(error)))
        this.#beginLater()
      })
    }, this.#delay)
    this.#timers.add(timer)
    this.#delay = Math.min(2 * this.#delay, MAX_DELAY)
  }
}
