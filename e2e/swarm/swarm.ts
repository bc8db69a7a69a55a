// Thousands of light nodes in a few threads, so that the load is not what limits.

import { Worker } from 'node:worker_threads'
import type { ControlAddress } from './light-client.ts'
import type { WorkerAnswer, WorkerOrder } from './swarm-worker.ts'

const WORKER = new URL('swarm-worker.ts', import.meta.url)

/** A swarm. Clients are numbered in the order in which they registered, dealt out to the threads in turn. */
export class Swarm {
  readonly #workers: readonly Worker[]
  readonly #waiting = new Map<
    number,
    { resolve: (moments: readonly number[]) => void; reject: (error: Error) => void }
  >()
  #lastId = 0
  #size = 0

  constructor(threads: number) {
    this.#workers = Array.from({ length: threads }, (_, workerData) => {
      const worker = new Worker(WORKER, { workerData, execArgv: [...process.execArgv] })
      worker.on('message', ({ id, answer }: { id: number; answer: WorkerAnswer }) => {
        const waiting = this.#waiting.get(id)
        this.#waiting.delete(id)
        if (answer.error === undefined) waiting?.resolve(answer.moments)
        else waiting?.reject(new Error(answer.error))
      })
      worker.on('error', (error) => {
        for (const { reject } of this.#waiting.values()) reject(error as Error)
      })
      return worker
    })
  }

  /** How many nodes there are. */
  get size(): number {
    return this.#size
  }

  /** Registers so many more nodes. Rejects when they are not all in after so many milliseconds. */
  async register(control: ControlAddress, authKey: string, count: number, timeout: number): Promise<void> {
    const names = this.#workers.map((): string[] => [])
    for (let i = 0; i < count; i += 1) names[(this.#size + i) % names.length]?.push(`node-${this.#size + i}`)
    this.#size += count
    await this.#all((i) => ({ kind: 'register', control, authKey, names: names[i] ?? [], timeout }))
  }

  /**
   * Has all follow their maps who do not, all at once. Returns when each had its first; who had none after so many
   * milliseconds goes on trying and is not in the answer.
   */
  follow(control: ControlAddress, timeout: number): Promise<readonly number[]> {
    return this.#all(() => ({ kind: 'follow', control, timeout }))
  }

  /** Hangs up for all. */
  async drop(): Promise<void> {
    await this.#all(() => ({ kind: 'drop' }))
  }

  /** Has one node tell its endpoints. Returns when it did. */
  async tell(client: number, endpoints: readonly string[]): Promise<number> {
    const threads = this.#workers.length
    const order = { kind: 'tell', client: Math.floor(client / threads), endpoints } as const
    const [at = Number.NaN] = await this.#order(client % threads, order)
    return at
  }

  /** From now on, has all nodes but one note when they see a text in their maps. */
  async watch(text: string, except?: number): Promise<void> {
    const threads = this.#workers.length
    await this.#all((i) => ({
      kind: 'watch',
      text,
      except: except !== undefined && except % threads === i ? Math.floor(except / threads) : -1,
    }))
  }

  /** Waits until all saw what they watch for, or the time is over. Returns when each did; who did not, at the end. */
  seen(timeout: number): Promise<readonly number[]> {
    return this.#all(() => ({ kind: 'seen', timeout }))
  }

  /** Waits until everybody knows everybody. Returns how many do not, when they do not come to it in time. */
  async unaware(timeout: number): Promise<number> {
    for (const end = Date.now() + timeout; ; ) {
      const counts = await this.#all(() => ({ kind: 'count' }))
      const unaware = this.#size - counts.filter((count) => count === this.#size).length
      if (unaware === 0 || Date.now() > end) return unaware
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }

  /** Ends all threads. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  async #all(order: (i: number) => WorkerOrder): Promise<readonly number[]> {
    return (await Promise.all(this.#workers.map((_, i) => this.#order(i, order(i))))).flat()
  }

  #order(i: number, order: WorkerOrder): Promise<readonly number[]> {
    const id = (this.#lastId += 1)
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#workers[i]?.postMessage({ id, order })
    })
  }
}
