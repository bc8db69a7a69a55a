// What a relay counts.
import type { CloseReason } from './connection.ts'

/** Why a relay dropped a packet; the words are those of derper's counters (data-plane §2.7). */
export type DropReason =
  /** No connection with the destination's key. */
  | 'unknown_dest'
  /** A sibling relay sent a packet for a key that is not connected here: it is not sent on a second time. */
  | 'unknown_dest_on_fwd'
  /** The destination left while the packet waited. */
  | 'gone_disconnected'
  /** Another part of the same relay did not keep up. */
  | 'part_full'
  /** The oldest packet of a full queue, dropped to make room. */
  | 'queue_head'

/** A relay's counters, as they were when they were read. */
export interface RelayStats {
  /** Connections open now, logged in or not. */
  readonly connections: number
  /** Distinct keys logged in now. */
  readonly clients: number
  /** Keys with more than one connection now. */
  readonly duplicateClients: number
  /** Keys that sibling relays have and this one has not. */
  readonly clientsElsewhere: number
  /** Connections of sibling relays and others that hold the mesh key, open now. */
  readonly meshPeers: number
  /** Connections that called this relay their home and are open now. */
  readonly homeConnections: number
  /** Connections taken since the start. */
  readonly accepted: number
  /** Connections closed by the relay, by reason. */
  readonly closed: Readonly<Partial<Record<CloseReason, number>>>
  /** Times that a client's reading was paused because it sent more than the receive limit. */
  readonly pauses: number
  /** Packets handed to sibling relays. */
  readonly packetsForwardedOut: number
  /** Packets received from sibling relays. */
  readonly packetsForwardedIn: number
  /** Logins refused: bad frames, boxes that did not open, admission denied, time run out. */
  readonly refused: number
  /** Connections cut off because the receiver took nothing. */
  readonly writeTimeouts: number
  /** Packets received from clients. */
  readonly packetsReceived: number
  /** Packets handed to the receivers' streams. */
  readonly packetsSent: number
  /** Bytes in those received packets. */
  readonly bytesReceived: number
  /** Bytes in those sent packets. */
  readonly bytesSent: number
  /** Packets dropped, by reason. */
  readonly dropped: Readonly<Record<DropReason, number>>
}

/** The counters that only grow, as the relay keeps them. */
export interface Counters {
  accepted: number
  refused: number
  writeTimeouts: number
  pauses: number
  packetsForwardedOut: number
  packetsForwardedIn: number
  readonly closed: Partial<Record<CloseReason, number>>
  packetsReceived: number
  packetsSent: number
  bytesReceived: number
  bytesSent: number
  readonly dropped: Record<DropReason, number>
}

/** Returns counters at zero. */
export function newCounters(): Counters {
  return {
    accepted: 0,
    refused: 0,
    writeTimeouts: 0,
    pauses: 0,
    packetsForwardedOut: 0,
    packetsForwardedIn: 0,
    closed: {},
    packetsReceived: 0,
    packetsSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    dropped: { unknown_dest: 0, unknown_dest_on_fwd: 0, gone_disconnected: 0, part_full: 0, queue_head: 0 },
  }
}
