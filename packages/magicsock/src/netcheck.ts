// One netcheck at a time: sends what the plan says, takes the answers, and knows when it has heard enough.
import type { RandomSource } from '@mesh/sansio'
import { decodeBindingResponse, encodeBindingRequest, TRANSACTION_ID_LENGTH } from '@mesh/wire/stun'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import {
  httpsRegions,
  type IcmpTarget,
  icmpTargets,
  type PlanInput,
  planProbes,
  type ProbeList,
} from './netcheck-plan.ts'
import { ReportBuilder } from './netcheck-report.ts'
import { txIdText } from './pings.ts'

/** How long the STUN phase lasts when servers stay silent. */
export const STUN_PROBE_TIMEOUT = 3_000
/** How long relays may take to answer by ICMP where there is no UDP. */
export const ICMP_PROBE_TIMEOUT = 1_000
/** When everything ends that a netcheck does, HTTPS included. */
export const OVERALL_TIMEOUT = 5_000
/** When a full check looks for a captive portal, unless STUN has worked by then. */
export const CAPTIVE_PORTAL_DELAY = 200
/** After this many regions have answered, the others get only a little longer. */
export const ENOUGH_REGIONS = 3
/** The least time left to the other family when there are fewer regions than that. */
const STRAGGLER_GRACE = 300

/** What a netcheck can have done besides STUN. */
export interface NetcheckOrders {
  /** Sends a STUN request. */
  sendStun(to: Endpoint, bytes: Uint8Array): void
  /** Measures regions over HTTPS: for networks without UDP. `undefined`: nobody can. */
  readonly measureRelay: ((region: number) => void) | undefined
  /** Pings the relay of a region by ICMP: for networks without UDP. `undefined`: nobody can. */
  readonly pingRelay: ((region: number, address: IpAddress) => void) | undefined
  /** Looks for a captive portal. `undefined`: nobody can. */
  readonly checkCaptivePortal: (() => void) | undefined
}

interface Running {
  readonly startedAt: number
  readonly full: boolean
  readonly report: ReportBuilder
  readonly lists: ActiveList[]
  readonly sent: Map<string, { readonly list: ActiveList; readonly at: number }>
  endsAt: number
  /** Regions that may be measured over HTTPS, until that is begun. */
  https: readonly number[]
  /** Regions being measured over HTTPS. */
  readonly measuring: Set<number>
  /** Hosts that may be pinged by ICMP, until that is begun. */
  icmp: readonly IcmpTarget[]
  /** Regions whose relay is being pinged, and until when that counts. */
  readonly pinging: Set<number>
  /** What came back, by region. */
  readonly echoes: Map<number, number>
  icmpEndsAt: number
  /** When to look for a captive portal. */
  portalAt: number
  /** Whether somebody is looking. */
  lookingForPortal: boolean
}

interface ActiveList extends ProbeList {
  next: number
  answered: boolean
}

/** Runs netchecks: give it time and answers, take requests and, in the end, the findings. */
export class Netcheck {
  readonly #random: RandomSource
  readonly #orders: NetcheckOrders
  #running: Running | undefined

  /** @param orders - Called from inside `start`, `handleTimeout` and `takeFindings`. */
  constructor(random: RandomSource, orders: NetcheckOrders) {
    this.#random = random
    this.#orders = orders
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
      https: this.#orders.measureRelay === undefined ? [] : httpsRegions(input),
      measuring: new Set(),
      icmp: this.#orders.pingRelay === undefined ? [] : icmpTargets(input),
      pinging: new Set(),
      echoes: new Map(),
      icmpEndsAt: Infinity,
      portalAt:
        input.last === undefined && this.#orders.checkCaptivePortal ? now + CAPTIVE_PORTAL_DELAY : Infinity,
      lookingForPortal: false,
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
    if (now < running.portalAt) return
    running.portalAt = Infinity
    if (running.report.udp) return
    running.lookingForPortal = true
    this.#orders.checkCaptivePortal?.()
  }

  /** Hears how long a region took to answer over HTTPS; `undefined` when it did not. */
  handleRelayMeasured(region: number, latency: number | undefined): void {
    const running = this.#running
    if (running === undefined || !running.measuring.delete(region)) return
    if (latency !== undefined) running.report.addOtherwise(region, latency)
  }

  /** Hears how long a region's relay took to answer by ICMP; `undefined` when it did not. */
  handleRelayPinged(region: number, latency: number | undefined): void {
    const running = this.#running
    if (running === undefined || !running.pinging.delete(region)) return
    if (latency !== undefined) running.echoes.set(region, latency)
  }

  /** Hears whether there is a captive portal; `undefined` when that could not be told. */
  handleCaptivePortal(captive: boolean | undefined): void {
    const running = this.#running
    if (running?.lookingForPortal !== true) return
    running.lookingForPortal = false
    if (captive !== undefined) running.report.noteCaptivePortal(captive)
  }

  /** Returns what was found when the check is over, once; else `undefined`. */
  takeFindings(now: number): ReportBuilder | undefined {
    const running = this.#running
    if (running === undefined) return undefined
    if (now < running.endsAt && running.lists.some((list) => !list.answered)) return undefined
    if (!running.report.udp && now < running.startedAt + OVERALL_TIMEOUT) {
      this.#measureOtherwise(running, now)
      if (now >= running.icmpEndsAt) running.pinging.clear()
      if (running.measuring.size + running.pinging.size > 0 || running.lookingForPortal) return undefined
    }
    this.#running = undefined
    this.#addEchoes(running)
    return running.report
  }

  /** Returns when something is due. */
  pollTimeout(): number {
    const running = this.#running
    if (running === undefined) return Infinity
    let at = Math.min(running.endsAt, running.portalAt)
    if (running.pinging.size > 0) at = Math.min(at, running.icmpEndsAt)
    for (const list of running.lists) {
      const probe = list.answered ? undefined : list.probes[list.next]
      if (probe !== undefined) at = Math.min(at, running.startedAt + probe.delay)
    }
    return at
  }

  /** No UDP: the relays are measured as they will be used (data-plane.md section 3.5). */
  #measureOtherwise(running: Running, now: number): void {
    running.endsAt = running.startedAt + OVERALL_TIMEOUT
    for (const list of running.lists) list.answered = true
    const { https, icmp } = running
    running.https = []
    running.icmp = []
    if (icmp.length > 0) running.icmpEndsAt = now + ICMP_PROBE_TIMEOUT
    for (const region of https) {
      running.measuring.add(region)
      this.#orders.measureRelay?.(region)
    }
    for (const { region, address } of icmp) {
      running.pinging.add(region)
      running.report.noteIcmp(false)
      this.#orders.pingRelay?.(region, address)
    }
  }

  /** A host that answers need not have a relay that does: echoes count for regions reached over HTTPS, if that was tried. */
  #addEchoes({ echoes, report }: Running): void {
    if (echoes.size > 0) report.noteIcmp(true)
    for (const [region, latency] of echoes) {
      const isReached = this.#orders.measureRelay === undefined || report.regionLatency.has(region)
      if (isReached) report.addOtherwise(region, latency)
    }
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
      this.#orders.sendStun(probe.to, encodeBindingRequest(txId))
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
