// What the network looks like from here: built up answer by answer, then read as a report.
import { type Endpoint, endpointsEqual } from '@mesh/wire/ip'
import { type EndpointKey, endpointKey } from './endpoint-key.ts'
import type { PortMapServices } from './portmap/mapping.ts'

/** What one round of STUN found out (data-plane.md section 3.2). Latencies are milliseconds. */
export interface NetcheckReport {
  /** Some STUN server answered. Where none did, latencies are those over HTTPS and ICMP, if anybody measured them. */
  readonly udp: boolean
  /** A STUN server answered over IPv4. */
  readonly ipv4: boolean
  /** A STUN server answered over IPv6. */
  readonly ipv6: boolean
  /** There is a socket for IPv6, whether anything can be reached by it or not. */
  readonly osHasIpv6?: boolean
  /** Whether the NAT maps by destination; `undefined` until two STUN servers, or one and two peers, have said where they see us. */
  readonly mappingVariesByDestIp: boolean | undefined
  /** Best round trip of each region, over either family. */
  readonly regionLatency: ReadonlyMap<number, number>
  /** Best round trip of each region over IPv4. */
  readonly regionV4Latency: ReadonlyMap<number, number>
  /** Best round trip of each region over IPv6. */
  readonly regionV6Latency: ReadonlyMap<number, number>
  /** Our IPv4 endpoints as servers saw them: the first seen, then those seen more than once. */
  readonly globalV4: readonly Endpoint[]
  /** Our IPv6 endpoints as servers saw them: the last seen, then those seen more than once. */
  readonly globalV6: readonly Endpoint[]
  /** A relay answered an ICMP echo over IPv4; none when nobody asked, as where UDP works. */
  readonly icmpV4?: boolean
  /** Whether a captive portal stands before the internet; none when nobody looked. */
  readonly captivePortal?: boolean
  /** The region this report speaks for as home; 0 when nothing was measured. */
  readonly preferredRelay: number
  /** Which port mapping services the gateway has; none when nobody looks after port mapping. */
  readonly portMap?: PortMapServices
}

interface Sighting {
  readonly endpoint: Endpoint
  times: number
}

/** A report in the making. */
export class ReportBuilder {
  readonly regionLatency = new Map<number, number>()
  readonly #v4 = new Map<number, number>()
  readonly #v6 = new Map<number, number>()
  readonly #seenV4 = new Map<EndpointKey, Sighting>()
  readonly #seenV6 = new Map<EndpointKey, Sighting>()
  #firstV4: Endpoint | undefined
  #lastV6: Endpoint | undefined
  #mappingVaries: boolean | undefined
  #captivePortal: boolean | undefined
  #icmpV4: boolean | undefined

  /** Takes one answer: from a server of `region`, which saw us at `observed`. */
  add(region: number, latency: number, observed: Endpoint): void {
    keepLeast(this.regionLatency, region, latency)
    if (observed.address.length === 4) this.#addV4(region, latency, observed)
    else this.#addV6(region, latency, observed)
  }

  /** Whether some STUN server has answered. */
  get udp(): boolean {
    return this.#v4.size > 0 || this.#v6.size > 0
  }

  /** Takes how long a region's relay took to answer otherwise than by STUN. */
  addOtherwise(region: number, latency: number): void {
    keepLeast(this.regionLatency, region, latency)
  }

  /** Takes whether a relay has answered an ICMP echo. */
  noteIcmp(works: boolean): void {
    this.#icmpV4 = works
  }

  /** Takes whether there is a captive portal. */
  noteCaptivePortal(captive: boolean): void {
    this.#captivePortal = captive
  }

  /** Whether a further answer of this family from this region would say anything new. */
  wants(region: number, family: 4 | 6): boolean {
    if (!this.regionLatency.has(region)) return true
    return family === 6 ? this.#v6.size === 0 : this.#mappingVaries === undefined
  }

  /** Returns the report. */
  finish(preferredRelay: number): NetcheckReport {
    return {
      udp: this.udp,
      ipv4: this.#v4.size > 0,
      ipv6: this.#v6.size > 0,
      mappingVariesByDestIp: this.#mappingVaries,
      regionLatency: this.regionLatency,
      regionV4Latency: this.#v4,
      regionV6Latency: this.#v6,
      globalV4: chosenFirst(this.#firstV4, this.#seenV4),
      globalV6: chosenFirst(this.#lastV6, this.#seenV6),
      ...(this.#icmpV4 === undefined ? {} : { icmpV4: this.#icmpV4 }),
      ...(this.#captivePortal === undefined ? {} : { captivePortal: this.#captivePortal }),
      preferredRelay,
    }
  }

  #addV4(region: number, latency: number, observed: Endpoint): void {
    keepLeast(this.#v4, region, latency)
    see(this.#seenV4, observed)
    if (this.#firstV4 === undefined) this.#firstV4 = observed
    else this.#mappingVaries = this.#mappingVaries === true || !endpointsEqual(observed, this.#firstV4)
  }

  #addV6(region: number, latency: number, observed: Endpoint): void {
    keepLeast(this.#v6, region, latency)
    see(this.#seenV6, observed)
    this.#lastV6 = observed
  }
}

function keepLeast(latencies: Map<number, number>, region: number, latency: number): void {
  latencies.set(region, Math.min(latency, latencies.get(region) ?? Infinity))
}

function see(seen: Map<EndpointKey, Sighting>, endpoint: Endpoint): void {
  const key = endpointKey(endpoint)
  const sighting = seen.get(key) ?? { endpoint, times: 0 }
  sighting.times += 1
  seen.set(key, sighting)
}

function chosenFirst(chosen: Endpoint | undefined, seen: ReadonlyMap<EndpointKey, Sighting>): Endpoint[] {
  if (chosen === undefined) return []
  const repeated = [...seen.values()].filter((s) => s.times > 1 && !endpointsEqual(s.endpoint, chosen))
  return [chosen, ...repeated.map((s) => s.endpoint)]
}
