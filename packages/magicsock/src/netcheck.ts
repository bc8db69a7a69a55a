// What the network looks like from here.
import type { Endpoint } from '@mesh/wire/ip'

/** What one round of STUN found out (data-plane.md section 3.2). Latencies are milliseconds. */
export interface NetcheckReport {
  /** Some STUN server answered. */
  readonly udp: boolean
  /** A STUN server answered over IPv4. */
  readonly ipv4: boolean
  /** A STUN server answered over IPv6. */
  readonly ipv6: boolean
  /** Whether the NAT maps by destination: `undefined` until two IPv4 servers have answered. */
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
  /** The region this report speaks for as home; 0 when nothing was measured. */
  readonly preferredRelay: number
}
