// One packet thread as the control thread sees it: a worker, the eventfd that wakes it, and the words shared with it.
import { Worker } from 'node:worker_threads'
import { O_CLOEXEC, O_NONBLOCK } from '@mesh/linux'
import { Arena, describeErrno, linuxCalls } from '@mesh/linux/node'
import {
  bytesOf,
  cargoOf,
  MAX_CARGO_BYTES,
  MAX_CARGOES,
  type PlaneCommand,
  type PlaneNews,
  type PlaneStart,
  SHARED_CARGO_BYTES,
  SHARED_CARGOES,
  SHARED_MESSAGES,
  SHARED_REPORTS,
  SHARED_WORDS,
} from './plane-messages.ts'

/** Beside this file: the source when run from sources, the bundle's entry of that name when installed. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './plane-worker.ts' : './plane-worker.js',
  import.meta.url,
)

/**
 * Megabytes of heap for a thread that keeps its packets elsewhere: what is young is little, and collected often. What is old is
 * as much as the routes are: a hundred thousand of them, as they come, take more than a hundred.
 */
const HEAP = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 1_024 }

/** Who hears of a lane. */
export interface LaneListener {
  /** Takes news of the thread that runs. */
  onNews(lane: PlaneLane, news: PlaneNews): void
  /** The thread is gone, and why. */
  onExit(lane: PlaneLane, reason: string): void
}

/** A thread that can be begun again. */
export class PlaneLane {
  /** Which it is, from 0 on. */
  readonly index: number
  /** What it takes. */
  readonly takes: PlaneStart['takes']
  readonly #calls = linuxCalls()
  readonly #listener: LaneListener
  /** One word, for the eventfd. */
  readonly #arena = new Arena(new SharedArrayBuffer(8))
  /** The eventfd that wakes the thread. */
  readonly wakeUp: number
  readonly #shared = new SharedArrayBuffer(SHARED_WORDS * 4)
  readonly #words = new Int32Array(this.#shared)
  #worker: Worker | undefined
  /** Keys that were posted, of which the thread has overwritten those that it has. */
  #keys: Uint8Array[] = []
  /** Packets that were too many for the thread. */
  overflow = 0

  /** @throws Error in one sentence when there is no file descriptor left. */
  constructor(index: number, takes: PlaneStart['takes'], listener: LaneListener) {
    this.index = index
    this.takes = takes
    this.#listener = listener
    this.wakeUp = this.#calls.eventfd(O_CLOEXEC | O_NONBLOCK)
    if (this.wakeUp < 0) throw new Error(`no Linux data plane: eventfd: ${describeErrno(this.wakeUp)}`)
  }

  /** Whether the thread runs. */
  get running(): boolean {
    return this.#worker !== undefined
  }

  /** Begins the thread. */
  start(start: Omit<PlaneStart, 'wakeUp' | 'shared' | 'takes' | 'lane'>): void {
    const { takes, wakeUp, index: lane } = this
    const workerData: PlaneStart = { ...start, wakeUp, shared: this.#shared, takes, lane }
    this.#words.fill(0)
    const worker = new Worker(WORKER, { workerData, name: `packets ${lane}`, resourceLimits: HEAP })
    this.#worker = worker
    let reason = 'it ended by itself'
    worker.on('message', (news: PlaneNews) => {
      if (worker === this.#worker) this.#listener.onNews(this, news)
    })
    worker.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error)
    })
    worker.on('exit', () => {
      if (worker !== this.#worker) return
      this.#worker = undefined
      for (const keys of this.#keys.splice(0)) keys.fill(0)
      this.#listener.onExit(this, reason)
    })
    worker.on('messageerror', () => undefined)
  }

  /** Says something to the thread, if it runs. */
  post(command: PlaneCommand): void {
    const worker = this.#worker
    if (command.kind === 'session') this.#noteKeys(new Uint8Array(command.keys), worker)
    if (worker === undefined || !this.#takesOn(command)) return
    worker.postMessage(command, [])
    Atomics.add(this.#words, SHARED_MESSAGES, 1)
    this.#arena.bytes[0] = 1
    this.#calls.write(this.wakeUp, this.#arena, 0, 8)
  }

  /** What a thread does not live to overwrite is overwritten here. */
  #noteKeys(keys: Uint8Array, worker: Worker | undefined): void {
    if (worker === undefined) keys.fill(0)
    else this.#keys = [...this.#keys.filter((posted) => posted.some((byte) => byte !== 0)), keys]
  }

  /** Books the packets of a command as under way; `false`, and they are lost, when there are too many already. */
  #takesOn(command: PlaneCommand): boolean {
    const cargo = cargoOf(command)
    if (cargo.length === 0) return true
    const words = this.#words
    const bytes = bytesOf(cargo)
    const room = Atomics.load(words, SHARED_CARGO_BYTES) + bytes <= MAX_CARGO_BYTES
    if (!room || Atomics.load(words, SHARED_CARGOES) >= MAX_CARGOES) {
      this.overflow += cargo.length
      return false
    }
    Atomics.add(words, SHARED_CARGOES, 1)
    Atomics.add(words, SHARED_CARGO_BYTES, bytes)
    return true
  }

  /** A report was heard: another may come. */
  noteHeard(): void {
    Atomics.sub(this.#words, SHARED_REPORTS, 1)
  }

  /** Closes the eventfd, once the thread is gone. */
  close(): void {
    this.#calls.close(this.wakeUp)
  }
}
