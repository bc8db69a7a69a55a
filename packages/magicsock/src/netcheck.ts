// One netcheck at a time: sends what the plan says, takes the answers, and knows when it has heard enough.
import type { RandomSource } from '@mesh/sansio'
import { decodeBindingResponse, encodeBindingRequest, TRANSACTION_ID_LENGTH } from '@mesh/wire/stun'
import type { Endpoint } from '@mesh/wire/ip'
import { type PlanInput, planProbes, type ProbeList } from './netcheck-plan.ts'
import { ReportBuilder } from './netcheck-report.ts'
import { txIdText } from './pings.ts'

/** How long the STUN phase lasts when servers stay silent. */
export const STUN_PROBE_TIMEOUT = 3_000
/** After this many regions have answered, the others get only a little longer. */
export const ENOUGH_REGIONS = 3
/** The least time left to the other family when there are fewer regions than that. */
const STRAGGLER_GRACE = 300

interface Running {
  readonly startedAt: number
  readonly full: boolean
  readonly report: ReportBuilder
  readonly lists: ActiveList[]
  readonly sent: Map<string, { readonly list: ActiveList; readonly at: number }>
  endsAt: number
}

interface ActiveList extends ProbeList {
  next: number
  answered: boolean
}

/** Runs netchecks: give it time and answers, take requests and, in the end, the findings. */
export class Netcheck {
  readonly #random: RandomSource
  readonly #send: (to: Endpoint, bytes: Uint8Array) => void
  #running: Running | undefined

  /** @param send - Sends a request; called from inside `start` and `handleTimeout`. */
  constructor(random: RandomSource, send: (to: Endpoint, bytes: Uint8Array) => void) {
    this.#random = random
    this.#send = send
  }

  /** Whether a check is under way. */
  get running(): boolean {
    return this.#running !== undefined
  }

  /** When the check under way began. */
  get startedAt(): number {
    return this.#running?.startedAt ?? -Infinity
  }

  /** Begins a check. One that is under way is given up. */
  start(input: PlanInput, now: number): void {
    this.#running = {
      startedAt: now,
      full: input.last === undefined,
      report: new ReportBuilder(),
      lists: planProbes(input).map((list) => ({ ...list, next: 0, answered: false })),
      sent: new Map(),
      endsAt: now + STUN_PROBE_TIMEOUT,
    }
    this.handleTimeout(now)
  }

  /** Takes a STUN datagram. Returns false when it answers nothing that was asked. */
  handleResponse(datagram: Uint8Array, now: number): boolean {
    const response = decodeBindingResponse(datagram)
    const running = this.#running
    if (response === undefined || running === undefined) return false
    const txId = txIdText(response.txId)
    const request = running.sent.get(txId)
    if (request === undefined) return false
    running.sent.delete(txId)
    request.list.answered = true
    running.report.add(request.list.region, now - request.at, response.observed)
    this.#endSoonIfEnough(running, now)
    return true
  }

  /** Sends what is due. */
  handleTimeout(now: number): void {
    const running = this.#running
    if (running === undefined) return
    for (const list of running.lists) this.#advance(running, list, now)
  }

  /** Returns what was found when the check is over, once; else `undefined`. */
  takeFindings(now: number): ReportBuilder | undefined {
    const running = this.#running
    if (running === undefined) return undefined
    if (now < running.endsAt && running.lists.some((list) => !list.answered)) return undefined
    this.#running = undefined
    return running.report
  }

  /** Returns when something is due. */
  pollTimeout(): number {
    const running = this.#running
    if (running === undefined) return Infinity
    let at = running.endsAt
    for (const list of running.lists) {
      const probe = list.answered ? undefined : list.probes[list.next]
      if (probe !== undefined) at = Math.min(at, running.startedAt + probe.delay)
    }
    return at
  }

  #advance(running: Running, list: ActiveList, now: number): void {
    for (let probe = list.probes[list.next]; probe !== undefined; probe = list.probes[list.next]) {
      if (list.answered || now < running.startedAt + probe.delay) return
      if (!running.report.wants(list.region, list.family)) {
        list.answered = true
        return
      }
      list.next += 1
      const txId = this.#random(TRANSACTION_ID_LENGTH)
      running.sent.set(txIdText(txId), { list, at: now })
      this.#send(probe.to, encodeBindingRequest(txId))
    }
  }

  /**
   * Three regions are enough, or all there are: the slowest of those heard then says how long the rest may take.
   * (With fewer than three regions others wait the whole time for a family that does not work.)
   */
  #endSoonIfEnough(running: Running, now: number): void {
    const heard = running.report.regionLatency
    const asked = new Set(running.lists.map((list) => list.region)).size
    if (heard.size !== ENOUGH_REGIONS && (heard.size < asked || asked > ENOUGH_REGIONS)) return
    const grace = Math.max(...heard.values()) * (running.full ? 2 : 1)
    const atLeast = asked < ENOUGH_REGIONS ? STRAGGLER_GRACE : 0
    running.endsAt = Math.min(running.endsAt, now + Math.max(grace, atLeast))
  }
}
