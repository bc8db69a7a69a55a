// What all packet threads of a data plane have counted, as the control thread knows it. Each counts from zero; when they die,
// what they had told stays the ground on which the next ones' sums stand.
import { PlaneCounters } from '../plane-counters.ts'
import type { PlaneReport } from './plane-messages.ts'

type ThreadCounters = PlaneReport['counters']

const NOTHING: ThreadCounters = {
  sealed: 0,
  opened: 0,
  drops: new PlaneCounters().drops,
  sendErrors: 0,
  hostDrops: 0,
  overflow: 0,
}

/** The sums of all threads that ever were. */
export class ThreadBooks {
  #before = NOTHING
  /** By thread. */
  #told: ThreadCounters[] = []

  /** Takes the sums of a thread that runs. */
  take(counters: ThreadCounters, thread: number): void {
    this.#told[thread] = counters
  }

  /** The threads are gone: the next ones begin at zero. */
  carryOver(): void {
    this.#before = this.all
    this.#told = []
  }

  /** All together. */
  get all(): ThreadCounters {
    return this.#told.reduce(sum, this.#before)
  }
}

function sum(a: ThreadCounters, b: ThreadCounters): ThreadCounters {
  const reasons = Object.keys(a.drops) as (keyof typeof a.drops)[]
  const drops = { ...a.drops }
  for (const reason of reasons) drops[reason] += b.drops[reason]
  return {
    sealed: a.sealed + b.sealed,
    opened: a.opened + b.opened,
    drops,
    sendErrors: a.sendErrors + b.sendErrors,
    hostDrops: a.hostDrops + b.hostDrops,
    overflow: a.overflow + b.overflow,
  }
}
