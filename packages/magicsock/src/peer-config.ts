// What the owner says of a peer, and what magicsock says of it in return.
import type { Endpoint } from '@mesh/wire/ip'

/** The number by which the data plane knows a peer; the owner chooses it. Never negative. */
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
}

/** Packets and bytes that went one way. */
export interface Traffic {
  /** How many packets. */
  packets: number
  /** How many bytes, as WireGuard datagrams. */
  bytes: number
}

/** WireGuard traffic with one peer, by path. Disco is not in it. A packet sent both ways counts in both. */
export interface PeerTraffic {
  /** Sent over UDP. */
  readonly sentDirect: Traffic
  /** Sent through a relay. */
  readonly sentRelay: Traffic
  /** Received over UDP. */
  readonly receivedDirect: Traffic
  /** Received through a relay. */
  readonly receivedRelay: Traffic
}

/** How a peer stands: what `mesh status` shows of its paths. */
export interface PeerStatus {
  /** The direct path in use; `undefined` unless it is trusted. */
  readonly endpoint: Endpoint | undefined
  /** The direct path packets take, trusted or not. */
  readonly bestEndpoint: Endpoint | undefined
  /** Round trip of the best direct path in milliseconds. */
  readonly latency: number | undefined
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
