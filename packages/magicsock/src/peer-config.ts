// What the owner says of a peer, and what magicsock says of it in return.
import type { Endpoint } from '@mesh/wire/ip'
import type { Hop } from './hop.ts'
import type { UdpLifetime } from './lifetime-probe.ts'
import type { PeerTraffic } from './traffic.ts'

/** The number by which the data plane knows a peer; the owner chooses it, from 0 to 2^31 - 2. */
export type PeerId = number

/** In place of a {@link PeerId}: a source that belongs to nobody yet. */
export const UNKNOWN_PEER = -1

/** A peer as the network map describes it. */
export interface PeerConfig {
  /** Its number. */
  readonly id: PeerId
  /** Its node public key, 32 bytes. */
  readonly nodeKey: Uint8Array
  /** Its disco public key, 32 bytes; `undefined` when it has told none: then only relays reach it. */
  readonly discoKey: Uint8Array | undefined
  /** The endpoints control knows of. */
  readonly endpoints: readonly Endpoint[]
  /** Its home relay region; 0 when it has none. */
  readonly homeRelay: number
  /** Its key has expired: nothing is sent to it. */
  readonly expired?: boolean
  /** It is a peer relay that we may use: it has the capability `relay-target` toward us. Default: it is not. */
  readonly servesAsRelay?: boolean
  /** It may have our peer relay serve it: it has the capability `relay` toward us. Default: it may not. */
  readonly mayUseOurRelay?: boolean
  /**
   * It speaks WireGuard and nothing else: no disco, no relay. Its endpoints are compared by ICMP. Default: it speaks disco,
   * when it has told a key.
   */
  readonly isWireGuardOnly?: boolean
  /** It understands paths through peer relays (capability version 121 and later). Default: it does. */
  readonly understandsPeerRelays?: boolean
}

/** How a peer stands: what `mesh status` shows of its paths. */
export interface PeerStatus {
  /** The direct path in use; `undefined` unless it is trusted. */
  readonly endpoint: Endpoint | undefined
  /** The direct path packets take, trusted or not. */
  readonly bestEndpoint: Endpoint | undefined
  /** The tunnel on a peer relay in use; `undefined` unless it is trusted. */
  readonly peerRelay: Hop | undefined
  /** Round trip of the best direct path, or of the tunnel when that is the path, in milliseconds. */
  readonly latency: number | undefined
  /** The largest IP packet that is known to pass by that path; 1360 where nobody has tried, for all paths carry that. */
  readonly mtu: number | undefined
  /** What has been found out about how long a path lives while nothing uses it; `undefined` unless that was asked for. */
  readonly lifetime: UdpLifetime | undefined
  /** The peer's home region; 0 when it has none. */
  readonly homeRelay: number
  /** Something was sent in the last 45 s. */
  readonly active: boolean
  /** When something was last sent, on the machine's clock; `undefined` for never. */
  readonly lastSend: number | undefined
  /** Every endpoint that may be tried. */
  readonly candidates: readonly Endpoint[]
  /** A copy of the traffic counters. */
  readonly traffic: PeerTraffic
}
