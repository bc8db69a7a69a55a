// How large the packets are that a path carries. Pings of known size are sent by it, whole or not at all: what is answered
// has passed (data-plane.md section 4.5). Nothing depends on it but what status tells: packets of the overlay are small.
import { GENEVE_HEADER_LENGTH } from '@mesh/wire/geneve'
import type { Hop } from './hop.ts'
import { PING_PACKET_LENGTH } from './pings.ts'

/** A path's MTU when no sized ping has measured it. */
export const UNPROBED_MTU = 1_360
/** Sizes of IP packets worth a try: of tunnels, PPPoE, Ethernet, and its jumbo frames. */
export const PROBED_MTUS = [1_280, 1_360, 1_400, 1_500, 8_000, 9_000] as const
/** How often a path in use is tried with packets larger than have been seen to pass. */
export const MTU_PROBE_INTERVAL = 60_000

const IPV4_HEADER = 20
const IPV6_HEADER = 40
const UDP_HEADER = 8

/** Returns the MTU that the answer to a ping of this size, behind so many bytes of headers, gives proof of. */
export function provenMtu(size: number, headers: number): number {
  return size === 0 ? UNPROBED_MTU : headers + Math.max(size, PING_PACKET_LENGTH)
}

/**
 * Returns how many bytes stand before a disco packet to this hop as it leaves this machine. Behind NAT64 (`isV4Translated`)
 * that is an IPv6 packet: the network before the translator has to carry it.
 */
export function headersTo({ address, vni }: Hop, isV4Translated: boolean): number {
  const ip = address.length === 4 && !isV4Translated ? IPV4_HEADER : IPV6_HEADER
  return ip + UDP_HEADER + (vni === undefined ? 0 : GENEVE_HEADER_LENGTH)
}

/** Says when which pings are sent to find out what a path carries. */
export class MtuProbe {
  #probedAt = -Infinity

  /** Returns the sizes of the pings to send by a path now, behind so many bytes of headers; mostly none. */
  take(headers: number, mtu: number, now: number): readonly number[] {
    if (now - this.#probedAt < MTU_PROBE_INTERVAL) return []
    this.#probedAt = now
    return PROBED_MTUS.filter((larger) => larger > mtu).map((larger) => larger - headers)
  }

  /** Begins anew: it is another path. */
  reset(): void {
    this.#probedAt = -Infinity
  }
}
