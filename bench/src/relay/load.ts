// The load on a relay: threads of clients. The same for every relay.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Latencies, LoadThreadData } from './load-thread.ts'

const THREAD = new URL('./load-thread.ts', import.meta.url)

/** Clients that send. */
export class Load {
  readonly #threads: readonly Worker[]
  readonly #counts: readonly BigInt64Array[]

  private constructor(threads: readonly Worker[], counts: readonly BigInt64Array[]) {
    this.#threads = threads
    this.#counts = counts
  }

  /** Connects clients, by as many threads, and makes all of them begin. */
  static async start(threads: number, data: Omit<LoadThreadData, 'count'>): Promise<Load> {
    const counts = Array.from({ length: threads }, () => new SharedArrayBuffer(8))
    const workers = counts.map((count) => {
      const workerData: LoadThreadData = { ...data, clients: data.clients / threads, count }
      return new Worker(THREAD, { workerData })
    })
    await Promise.all(workers.map((worker) => once(worker, 'message')))
    for (const worker of workers) worker.postMessage('begin')
    return new Load(
      workers,
      counts.map((count) => new BigInt64Array(count)),
    )
  }

  /** How many packets have come so far. */
  get packets(): number {
    return this.#counts.reduce((sum, count) => sum + Number(Atomics.load(count, 0)), 0)
  }

  /** Waits for what the only thread of a paced load says. */
  async latencies(): Promise<Latencies> {
    const [latencies] = (await once(this.#threads[0]!, 'message')) as [Latencies]
    return latencies
  }

  async stop(): Promise<void> {
    await Promise.all(this.#threads.map((worker) => worker.terminate()))
  }
}
