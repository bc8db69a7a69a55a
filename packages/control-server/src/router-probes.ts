// Whether routers that could stand in for each other still answer (control §7.7). A machine that lost its power leaves its
// connection standing for minutes; traffic to the subnets behind it must not wait so long when another router is there. So
// those are asked every few seconds, and one that fell silent counts as away. A client that never answered is not judged: it
// may be one that does not know such questions.

import { Deadlines } from './deadlines.ts'

/** How often a router is asked, milliseconds. One that did not answer is asked again at once. */
export const PROBE_INTERVAL = 5000
/** So many unanswered questions in a row are silence. */
const MISSES = 2

interface Probed {
  hasAnswered: boolean
  misses: number
  /** Whether it is silent, as last given out; `undefined` for not at all. */
  told: boolean | undefined
}

/** Asks routers, and tells which of them fell silent or answer again. */
export class RouterProbes {
  readonly #routers = new Map<number, Probed>()
  readonly #asked = new Map<string, number>()
  readonly #deadlines = new Deadlines<number>()
  #news = new Map<number, boolean>()

  /** Takes which routers could stand in for another, in place of those before. */
  watch(routers: ReadonlySet<number>, now: number): void {
    for (const id of this.#routers.keys()) if (!routers.has(id)) this.#forget(id)
    for (const id of routers) {
      if (this.#routers.has(id)) continue
      this.#routers.set(id, { hasAnswered: false, misses: 0, told: undefined })
      this.#deadlines.set(id, now)
    }
  }

  /** Returns the routers to be asked now. Each is then told of by {@link RouterProbes.asked}, or by that it cannot be. */
  due(now: number): readonly number[] {
    const due = this.#deadlines.due(now)
    for (const id of due) this.#deadlines.set(id, now + PROBE_INTERVAL)
    return due
  }

  /** Notes under which id a router was asked: the next question waits for how that ends. */
  asked(router: number, id: string): void {
    this.#asked.set(id, router)
    this.#deadlines.delete(router)
  }

  /** Takes how a question ended. Returns false when it was somebody else's. */
  take(id: string, isAnswered: boolean, now: number): boolean {
    const router = this.#asked.get(id)
    if (router === undefined) return false
    this.#asked.delete(id)
    const probed = this.#routers.get(router)
    if (!probed) return true
    probed.hasAnswered ||= isAnswered
    probed.misses = isAnswered ? 0 : probed.misses + 1
    const isSilent = probed.misses >= MISSES
    if (probed.hasAnswered && (isAnswered || isSilent) && probed.told !== isSilent) {
      probed.told = isSilent
      this.#news.set(router, isSilent)
    }
    this.#deadlines.set(router, isAnswered || probed.misses >= MISSES ? now + PROBE_INTERVAL : now)
    return true
  }

  /**
   * Notes that what was given out may not have been taken, nor questions sent: nobody is blamed for those, and what is found
   * next is news.
   */
  doubt(): void {
    for (const probed of this.#routers.values()) Object.assign(probed, { misses: 0, told: undefined })
  }

  /** Takes out whether routers are silent, where that may be news. */
  takeNews(): ReadonlyMap<number, boolean> {
    const news = this.#news
    if (news.size > 0) this.#news = new Map()
    return news
  }

  /** Returns when to look for what is due. */
  next(): number {
    return this.#news.size > 0 ? -Infinity : this.#deadlines.next()
  }

  #forget(id: number): void {
    this.#routers.delete(id)
    this.#deadlines.delete(id)
    this.#news.delete(id)
  }
}
