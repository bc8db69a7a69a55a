// The side whose own endpoint is the same for everybody. It tries ports of the address of a peer that has opened many
// doors toward it, at a polite rate, each port once, and stops at the first answer.
import type { RandomSource } from '@mesh/sansio'
import type { DiscoMessage, DoorsOffer } from '@mesh/wire/disco'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { NetcheckReport } from '../netcheck-report.ts'
import type { Peer } from '../peer.ts'
import { mayProbe } from '../probe-rules.ts'
import { isWorthSearching, SEARCH_DURATION } from './worth.ts'

/** Between two handfuls of tries. */
export const PROBE_INTERVAL = 20
/** Tries in a handful: with {@link PROBE_INTERVAL} 250 a second, 31 kB. */
export const PROBES_AT_ONCE = 5
/** A search that was late makes up for so many handfuls at once. */
const MAX_CATCH_UP = 8
/** How many ports one search tries at most. */
export const MAX_PROBES = 2_048
/** The doors are opened meanwhile. */
const FIRST_PROBE_DELAY = 200
/**
 * The next search for the same peer begins this much later at the earliest, by how many came to nothing before; the last
 * repeats. A peer that means well offers more rarely; one that means harm has named an address that is not its own.
 */
export const SEARCH_PAUSES = [12_000, 36_000, 120_000] as const
/** Ports below are given to nobody by a NAT. */
const FIRST_PORT = 1_024
const PORTS = 65_536 - FIRST_PORT

/** What a search needs of the machine it belongs to. */
export interface PortSearchHost {
  /** The last netcheck. */
  readonly report: NetcheckReport | undefined
  /** Whether loopback addresses may be probed. */
  readonly loopback: boolean
  /** Sends a message to a peer through its relay. */
  tell(peer: Peer, message: DiscoMessage, now: number): void
  /** Pings a peer at a port that may be one of its doors. */
  probe(peer: Peer, to: Endpoint, now: number): void
}

interface Search {
  readonly peer: Peer
  readonly address: IpAddress
  readonly endsAt: number
  readonly tried: Set<number>
  nextAt: number
}

interface History {
  readonly failures: number
  readonly notBefore: number
}

/** Searches. One peer at a time. */
export class PortSearch {
  readonly #random: RandomSource
  readonly #host: PortSearchHost
  readonly #history = new WeakMap<Peer, History>()
  #search: Search | undefined

  constructor(random: RandomSource, host: PortSearchHost) {
    this.#random = random
    this.#host = host
  }

  /** Takes a peer's offer, if this side can do its part and the address is one of the peer's. */
  handleOffer({ address, doors }: DoorsOffer, from: Peer, now: number): void {
    const { report, loopback } = this.#host
    const own = report?.globalV4[0]
    if (this.#search !== undefined || own === undefined || report?.mappingVariesByDestIp === true) return
    if (doors === 0 || address.length !== 4 || !mayProbe({ address, port: FIRST_PORT }, loopback)) return
    if (!from.candidates.hasAddress(address) || !isWorthSearching(from, now)) return
    const { failures, notBefore } = this.#history.get(from) ?? { failures: 0, notBefore: -Infinity }
    if (now < notBefore) return
    // Until it has found something it counts as one that came to nothing.
    const pause = SEARCH_PAUSES[Math.min(failures, SEARCH_PAUSES.length - 1)] ?? 0
    this.#history.set(from, { failures: failures + 1, notBefore: now + pause })
    const kept = address.slice()
    from.ledger.note('ports-searched', { address: kept, port: 0 }, now)
    const endsAt = now + SEARCH_DURATION
    this.#search = { peer: from, address: kept, endsAt, tried: new Set(), nextAt: now + FIRST_PROBE_DELAY }
    this.#host.tell(from, { kind: 'doors-accept', endpoint: own }, now)
  }

  /** Gives a search up. */
  forgetPeer(peer: Peer): void {
    if (this.#search?.peer === peer) this.#search = undefined
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    const search = this.#search
    if (search === undefined || now < search.nextAt) return
    const isFound = search.peer.isSettled(now)
    if (isFound) this.#history.delete(search.peer)
    if (isFound || now >= search.endsAt || search.tried.size >= MAX_PROBES) {
      this.#search = undefined
      return
    }
    const handfuls = Math.min(MAX_CATCH_UP, 1 + Math.floor((now - search.nextAt) / PROBE_INTERVAL))
    for (let i = 0; i < handfuls * PROBES_AT_ONCE; i += 1) {
      this.#host.probe(search.peer, { address: search.address, port: this.#draw(search.tried) }, now)
    }
    search.nextAt = now + PROBE_INTERVAL
  }

  /** Returns when something is due. */
  pollTimeout(): number {
    return this.#search?.nextAt ?? Infinity
  }

  #draw(tried: Set<number>): number {
    for (;;) {
      const [a = 0, b = 0, c = 0] = this.#random(3)
      const port = FIRST_PORT + ((a * 0x10000 + b * 0x100 + c) % PORTS)
      if (tried.has(port)) continue
      tried.add(port)
      return port
    }
  }
}
