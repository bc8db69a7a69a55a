// Where a datagram goes or came from, as this side sees it: an address, and what lies in between. Most hops are plain
// addresses; an Endpoint is one.
import { type Endpoint, endpointsEqual, formatEndpoint } from '@mesh/wire/ip'

/** An address, perhaps with a tunnel of the peer relay there, perhaps by another socket of ours than the usual. */
export interface Hop extends Endpoint {
  /** Number of the tunnel (VNI) on the peer relay at that address; absent for the peer itself. */
  readonly vni?: number
  /** Number of the extra socket it goes by or came in by; absent for the usual one. */
  readonly door?: number
}

/** Tells whether two hops are the same. */
export function sameHop(a: Hop, b: Hop): boolean {
  return a.vni === b.vni && a.door === b.door && endpointsEqual(a, b)
}

/** Returns `1.2.3.4:5`, and `1.2.3.4:5:vni:6` for a tunnel on a peer relay. */
export function formatHop(hop: Hop): string {
  const text = formatEndpoint(hop)
  return hop.vni === undefined ? text : `${text}:vni:${hop.vni}`
}
