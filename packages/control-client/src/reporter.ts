// What the node tells control about itself: endpoints, home relay, host. Changes come in bursts, so at most one
// report is on its way, and the next one carries whatever is true by then (control protocol §3.2, "lite update").
import type { RandomSource } from '@mesh/sansio'
import {
  type DiscoKeyText,
  ENDPOINT_TYPE,
  type Hostinfo,
  type MapRequest,
  type NetInfo,
  type NodeKeyText,
} from '@mesh/wire/control'
import { Backoff } from './backoff.ts'

/** An endpoint and where it is known from. */
export interface ReportedEndpoint {
  /** The endpoint as text, `address:port`. */
  readonly endpoint: string
  /** One of `ENDPOINT_TYPE`; unknown when left out. */
  readonly type?: number
}

/** What changed about the node; fields that are absent stay as they are. */
export interface Report {
  /** Where the node may be reached over UDP, best first. */
  readonly endpoints?: readonly ReportedEndpoint[]
  /** What the node found out about its network; `PreferredDERP` is the home relay. */
  readonly netInfo?: NetInfo
  /** The machine under the node, without its `NetInfo`. */
  readonly hostinfo?: Hostinfo
  /** The node's disco public key as text. */
  readonly discoKey?: DiscoKeyText
}

/** Keeps what is to be told, and whether it was. */
export class Reporter {
  #endpoints: readonly ReportedEndpoint[] = []
  #netInfo: NetInfo | undefined
  #hostinfo: Hostinfo
  #discoKey: DiscoKeyText
  readonly #backoff: Backoff
  #dirty = true
  #inFlight = false
  #notBefore = -Infinity

  constructor(hostinfo: Hostinfo, discoKey: DiscoKeyText, random: RandomSource) {
    this.#hostinfo = hostinfo
    this.#discoKey = discoKey
    this.#backoff = new Backoff(random)
  }

  /** When the next report should go out: long past for at once, `Infinity` for not at all. */
  get dueAt(): number {
    return this.#dirty && !this.#inFlight ? this.#notBefore : Infinity
  }

  /** The host as it stands, with what is known of its network. */
  get hostinfo(): Hostinfo {
    return this.#netInfo === undefined ? this.#hostinfo : { ...this.#hostinfo, NetInfo: this.#netInfo }
  }

  /** The node's disco key as text. */
  get discoKey(): DiscoKeyText {
    return this.#discoKey
  }

  /** Takes what changed; what is the same as before is no news. */
  update(report: Report): void {
    const before = JSON.stringify(this.#content())
    this.#endpoints = report.endpoints ?? this.#endpoints
    this.#netInfo = report.netInfo ?? this.#netInfo
    this.#hostinfo = report.hostinfo ?? this.#hostinfo
    this.#discoKey = report.discoKey ?? this.#discoKey
    if (JSON.stringify(this.#content()) !== before) this.#dirty = true
  }

  /** Says that control must be told again, whatever it knew: after every new map stream. */
  markStale(): void {
    this.#dirty = true
  }

  /** Returns the report to send now; it counts as on its way until it was {@link sent}, {@link failed} or {@link lost}. */
  take(version: number, nodeKey: NodeKeyText): MapRequest {
    this.#dirty = false
    this.#inFlight = true
    return {
      Version: version,
      Compress: 'zstd',
      KeepAlive: true,
      NodeKey: nodeKey,
      ...this.#content(),
      OmitPeers: true,
    }
  }

  /** Notes that the report arrived. */
  sent(): void {
    this.#inFlight = false
    this.#notBefore = -Infinity
    this.#backoff.reset()
  }

  /** Notes that the report was refused: it is sent again after a while. */
  failed(now: number): void {
    this.lost()
    this.#notBefore = now + this.#backoff.next()
  }

  /** Notes that the report went down with its connection: the next connection sends it. */
  lost(): void {
    this.#inFlight = false
    this.#dirty = true
  }

  #content(): Pick<MapRequest, 'DiscoKey' | 'Hostinfo' | 'Endpoints' | 'EndpointTypes'> {
    const about = { DiscoKey: this.#discoKey, Hostinfo: this.hostinfo }
    if (this.#endpoints.length === 0) return about
    return {
      ...about,
      Endpoints: this.#endpoints.map(({ endpoint }) => endpoint),
      EndpointTypes: this.#endpoints.map(({ type }) => type ?? ENDPOINT_TYPE.unknown),
    }
  }
}
