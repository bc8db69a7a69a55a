// What a relay counts.

/** Why a relay dropped a packet; the words are those of derper's counters (data-plane §2.7). */
export type DropReason =
  /** No connection with the destination's key. */
  | 'unknown_dest'
  /** The destination left while the packet waited. */
  | 'gone_disconnected'
  /** The oldest packet of a full queue, dropped to make room. */
  | 'queue_head'

/** A relay's counters: a plain object, read at any time. */
export interface RelayStats {
  /** Connections open now, logged in or not. */
  readonly connections: number
  /** Distinct keys logged in now. */
  readonly clients: number
  /** Keys with more than one connection now. */
  readonly duplicateClients: number
  /** Connections accepted since the start. */
  readonly accepted: number
  /** Logins refused: bad frames, boxes that did not open, admission denied, time run out. */
  readonly refused: number
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
