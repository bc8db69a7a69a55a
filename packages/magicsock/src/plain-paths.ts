// A peer that is WireGuard and nothing else: no disco, no relay (data-plane.md section 5.14). Its endpoints are those of
// the configuration; which is the best is found out by ICMP, and what comes from one of them speaks for it.
import type { RandomSource } from '@mesh/sansio'
import { type Endpoint, endpointsEqual } from '@mesh/wire/ip'

/** An endpoint that was picked is kept for this long. */
export const PLAIN_TRUST_ON_PICK = 1_000
/** One that something came from is kept for this long. */
export const PLAIN_TRUST_ON_RECEIVE = 5_000
/** The shortest time between two rounds of ICMP pings. */
export const ICMP_PING_INTERVAL = 10_000

interface PlainPath {
  readonly endpoint: Endpoint
  /** Round trip by ICMP in milliseconds; `undefined` while it has not answered. */
  latency: number | undefined
}

/** The endpoints of one such peer. */
export class PlainPaths {
  readonly #random: RandomSource
  #paths: PlainPath[] = []
  #chosen: PlainPath | undefined
  #trustUntil = -Infinity
  #pingedAt = -Infinity

  constructor(random: RandomSource) {
    this.#random = random
  }

  /** Takes the endpoints; what is known of those that stay is kept. */
  setEndpoints(endpoints: readonly Endpoint[]): void {
    this.#paths = endpoints.map((endpoint) => this.#of(endpoint) ?? { endpoint, latency: undefined })
    if (this.#chosen !== undefined && !this.#paths.includes(this.#chosen)) this.#chosen = undefined
  }

  /** Returns where to send; `undefined` when there is nothing. */
  pick(now: number): Endpoint | undefined {
    if (this.#chosen !== undefined && now <= this.#trustUntil) return this.#chosen.endpoint
    const known = this.#paths.filter(({ latency }) => latency !== undefined)
    this.#chosen = known.length > 0 ? known.sort(compare)[0] : this.#any()
    this.#trustUntil = now + PLAIN_TRUST_ON_PICK
    return this.#chosen?.endpoint
  }

  /** Returns the endpoints to ping by ICMP now: all of them when it is time and there is a choice, else none. */
  takePings(now: number): readonly Endpoint[] {
    if (this.#paths.length < 2 || now - this.#pingedAt < ICMP_PING_INTERVAL) return []
    this.#pingedAt = now
    return this.#paths.map(({ endpoint }) => endpoint)
  }

  /** Takes how long an endpoint's host took to answer by ICMP; `undefined` when it did not. */
  handleIcmp(endpoint: Endpoint, latency: number | undefined): void {
    const path = this.#of(endpoint)
    if (path !== undefined) path.latency = latency
  }

  /** Hears that something has come from an endpoint of the peer's: for a while it is the path. */
  noteReceived(from: Endpoint, now: number): void {
    const path = this.#of(from)
    if (path === undefined) return
    this.#chosen = path
    this.#trustUntil = now + PLAIN_TRUST_ON_RECEIVE
  }

  #of(endpoint: Endpoint): PlainPath | undefined {
    return this.#paths.find((path) => endpointsEqual(path.endpoint, endpoint))
  }

  #any(): PlainPath | undefined {
    return this.#paths[(this.#random(1)[0] ?? 0) % this.#paths.length]
  }
}

/** The faster first; between equals IPv6. */
function compare(a: PlainPath, b: PlainPath): number {
  const difference = (a.latency ?? Infinity) - (b.latency ?? Infinity)
  return difference !== 0 ? difference : b.endpoint.address.length - a.endpoint.address.length
}
