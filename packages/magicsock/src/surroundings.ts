// What this node knows of where it stands: its own endpoints, the last netcheck, and when to look again.
import type { RandomSource } from '@mesh/sansio'
import { type Endpoint, endpointsEqual, type IpAddress, isLoopback } from '@mesh/wire/ip'
import type { SocketPorts } from './datagram-socket.ts'
import { EndpointBook, type LocalEndpoint } from './endpoints.ts'
import { HomeChoice } from './home-choice.ts'
import { Netcheck, type NetcheckOrders } from './netcheck.ts'
import type { NetcheckReport, ReportBuilder } from './netcheck-report.ts'
import { MappingSightings } from './mapping-sightings.ts'
import type { PeerId } from './peer-config.ts'
import type { PortMapServices } from './portmap/mapping.ts'
import type { RelayMap } from './relay-map.ts'

/** The next periodic look comes after a time drawn from this range. */
export const RESTUN_INTERVAL_MIN = 20_000
/** See {@link RESTUN_INTERVAL_MIN}. */
export const RESTUN_INTERVAL_MAX = 26_000
/** Own endpoints older than this are looked up again before a peer is told of them. */
export const ENDPOINTS_FRESH_ENOUGH = 27_000
/** The same when the last look found that UDP is blocked: it may be open again, and then is worth knowing at once. */
export const BLOCKED_FRESH_ENOUGH = 10_000
/** Trouble with a relay makes for another look at most this often. */
export const TROUBLE_INTERVAL = 5_000
/** How often every region is asked, not only the near ones. */
export const FULL_REPORT_INTERVAL = 5 * 60_000

/** What the surroundings need of the machine they belong to. */
export interface SurroundingsHost extends NetcheckOrders {
  /** Whether there is nobody to look for: then the periodic look stops. */
  isIdle(now: number): boolean
  /** The home region and when something last came from it. */
  readonly home: number
  readonly homeHeardAt: number
  /** Hears that a look is over. */
  noteSurroundings(report: NetcheckReport, endpointsChanged: boolean, now: number): void
}

/** How {@link Surroundings} begin. */
export interface SurroundingsOptions {
  /** Source of transaction ids and jitter. */
  readonly random: RandomSource
  /** Loopback addresses count. */
  readonly allowLoopback: boolean
  /** The port was asked for. */
  readonly fixedPort: boolean
}

const NOTHING_SEEN: Pick<NetcheckReport, 'globalV4' | 'mappingVariesByDestIp'> = {
  globalV4: [],
  mappingVariesByDestIp: undefined,
}

/** Looks around, now and then. */
export class Surroundings {
  readonly #options: SurroundingsOptions
  readonly #host: SurroundingsHost
  readonly #netcheck: Netcheck
  readonly #book = new EndpointBook()
  readonly #homeChoice = new HomeChoice()
  readonly #sightings = new MappingSightings()
  #relays: RelayMap | undefined
  #addresses: readonly IpAddress[] = []
  #ports: SocketPorts | undefined
  #portmapped: Endpoint | undefined
  #portMap: PortMapServices | undefined
  #report: NetcheckReport | undefined
  #lookedAt = -Infinity
  #fullAt = -Infinity
  #nextAt = Infinity
  /** Asked for while a look was under way: one more follows, however often that happened. */
  #again: 'no' | 'incremental' | 'full' = 'no'

  constructor(options: SurroundingsOptions, host: SurroundingsHost) {
    this.#options = options
    this.#host = host
    this.#netcheck = new Netcheck(options.random, host)
  }

  /** The endpoints advertised now. */
  get endpoints(): readonly LocalEndpoint[] {
    return this.#book.list
  }

  /** The last finished netcheck. */
  get report(): NetcheckReport | undefined {
    return this.#report
  }

  /** Whether loopback addresses are endpoints like any other: allowed, or all this machine has. */
  get loopback(): boolean {
    return this.#options.allowLoopback || (this.#addresses.length > 0 && this.#addresses.every(isLoopback))
  }

  /** Whether IPv4 datagrams leave this machine as IPv6 ones (NAT64). */
  get isV4Translated(): boolean {
    return this.#ports?.isV4Translated === true
  }

  /** Tells whether the endpoints may be told to a peer as they are. */
  areFresh(now: number): boolean {
    return (
      now - this.#lookedAt <= (this.#report?.udp === false ? BLOCKED_FRESH_ENOUGH : ENDPOINTS_FRESH_ENOUGH)
    )
  }

  /** Takes the relay map. */
  setRelays(relays: RelayMap, now: number): void {
    this.#relays = relays
    this.look(true, now)
  }

  /** Takes where the sockets are bound, and the local addresses. */
  setLocal(addresses: readonly IpAddress[], ports: SocketPorts, now: number): void {
    this.#addresses = addresses
    this.#ports = ports
    this.look(false, now)
  }

  /** Takes the gateway's port mapping, and what the gateway can. */
  setPortMapping(external: Endpoint | undefined, services: PortMapServices, now: number): void {
    this.#portmapped = external
    this.#portMap = services
    this.look(false, now)
  }

  /** Looks around now, or once more after the look under way. Nothing happens before there are sockets and relays. */
  look(full: boolean, now: number): void {
    if (this.#ports === undefined || this.#relays === undefined) return
    if (this.#netcheck.running) {
      if (this.#again !== 'full') this.#again = full ? 'full' : 'incremental'
      return
    }
    const wasCaptive = this.#report?.udp === false && this.#report.captivePortal === true
    const isOld = now - this.#fullAt > FULL_REPORT_INTERVAL
    const everybody = full || this.#report === undefined || isOld || wasCaptive
    if (everybody) this.#fullAt = now
    this.#nextAt = Infinity
    this.#netcheck.start(
      {
        relays: this.#relays,
        home: this.#host.home,
        last: everybody ? undefined : this.#report,
        ipv4: this.#ports.v4 !== undefined,
        ipv6: this.#ports.v6 !== undefined && this.#addresses.some((address) => address.length === 16),
      },
      now,
    )
    this.#finishIfDone(now)
  }

  /** Forgets what was seen of another network. */
  forget(): void {
    this.#book.forget()
    this.#homeChoice.forget()
    this.#sightings.forget()
    this.#report = undefined
    this.#lookedAt = -Infinity
  }

  /** Looks around unless that is being done: for whoever only wants what is under way anyhow. */
  refresh(now: number): void {
    if (!this.#netcheck.running) this.look(false, now)
  }

  /** Hears that there is somebody to look for, after a time when there was not. */
  wake(now: number): void {
    if (this.#nextAt === Infinity && now - this.#lookedAt >= RESTUN_INTERVAL_MIN) this.refresh(now)
  }

  /** Hears of trouble that may come from another network. While it lasts it is heard of again and again. */
  noteTrouble(now: number): void {
    if (now - this.#lookedAt >= TROUBLE_INTERVAL) this.refresh(now)
  }

  /**
   * Hears that a peer, at this address, says that our pings come from `seen`. When that is news of our NAT (nobody could tell
   * how it maps, or it maps as it did not before) it is time for another look, for the two to be compared.
   */
  noteSeen(peer: PeerId, observer: IpAddress, seen: Endpoint, now: number): void {
    if (!this.#sightings.note(peer, observer, seen, now)) return
    const { globalV4, mappingVariesByDestIp } = this.#report ?? NOTHING_SEEN
    if (globalV4.length === 0 || mappingVariesByDestIp === true) return
    const isAsExpected = globalV4.some((endpoint) => endpointsEqual(endpoint, seen))
    if (mappingVariesByDestIp === undefined || !isAsExpected) this.noteTrouble(now)
  }

  /** Tells whether all peers that have said where they see us, be it one alone, see what STUN servers see. */
  isSeenAlike(now: number): boolean {
    return this.#sightings.agree(now)
  }

  /** Forgets what a peer has said. */
  forgetPeer(peer: PeerId): void {
    this.#sightings.forgetPeer(peer)
  }

  /** Takes a STUN datagram. Returns false when it answers nothing that was asked. */
  handleResponse(datagram: Uint8Array, now: number): boolean {
    const expected = this.#netcheck.handleResponse(datagram, now)
    this.#finishIfDone(now)
    return expected
  }

  /** Hears how long a region took to answer over HTTPS. */
  handleRelayMeasured(region: number, latency: number | undefined, now: number): void {
    this.#netcheck.handleRelayMeasured(region, latency)
    this.#finishIfDone(now)
  }

  /** Hears how long a region's relay took to answer by ICMP. */
  handleRelayPinged(region: number, latency: number | undefined, now: number): void {
    this.#netcheck.handleRelayPinged(region, latency)
    this.#finishIfDone(now)
  }

  /** Hears whether there is a captive portal. */
  handleCaptivePortal(captive: boolean | undefined, now: number): void {
    this.#netcheck.handleCaptivePortal(captive)
    this.#finishIfDone(now)
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    this.#netcheck.handleTimeout(now)
    this.#finishIfDone(now)
    if (now < this.#nextAt) return
    this.#nextAt = Infinity
    if (!this.#host.isIdle(now)) this.look(false, now)
  }

  /** Returns when something is due. */
  pollTimeout(): number {
    return Math.min(this.#netcheck.pollTimeout(), this.#nextAt)
  }

  #finishIfDone(now: number): void {
    const { startedAt } = this.#netcheck
    const findings = this.#netcheck.takeFindings(now)
    if (findings === undefined) return
    this.#lookedAt = now
    this.#report = this.#conclude(findings, startedAt, now)
    this.#nextAt = now + this.#jitter()
    const changed = this.#book.update(
      {
        report: this.#report,
        addresses: this.#addresses,
        ports: this.#ports ?? { v4: undefined, v6: undefined },
        fixedPort: this.#options.fixedPort,
        loopback: this.loopback,
        portmapped: this.#portmapped,
      },
      now,
    )
    this.#host.noteSurroundings(this.#report, changed, now)
    const again = this.#again
    this.#again = 'no'
    if (again !== 'no') this.look(again === 'full', now)
  }

  #conclude(findings: ReportBuilder, startedAt: number, now: number): NetcheckReport {
    const { home, homeHeardAt } = this.#host
    const relays = this.#relays ?? new Map<number, never>()
    const latency = findings.regionLatency
    const choice = this.#homeChoice.choose({ latency, relays, home, startedAt, homeHeardAt }, now)
    const found = findings.finish(choice)
    const [stun] = found.globalV4
    const varies = this.#sightings.conclude(stun, found.mappingVariesByDestIp, now)
    const osHasIpv6 = this.#ports?.v6 !== undefined
    const report = { ...found, mappingVariesByDestIp: varies, osHasIpv6 }
    return this.#portMap === undefined ? report : { ...report, portMap: this.#portMap }
  }

  #jitter(): number {
    const [a = 0, b = 0] = this.#options.random(2)
    const part = (a * 0x100 + b) / 0xffff
    return RESTUN_INTERVAL_MIN + part * (RESTUN_INTERVAL_MAX - RESTUN_INTERVAL_MIN)
  }
}
