// What travels in the simulated network, and why it may not arrive.
import type { Endpoint } from '@mesh/wire/ip'

/** A UDP datagram under way. Its bytes belong to the network. */
export interface SimDatagram {
  /** Who sends, as the present stretch of the way sees it. */
  readonly source: Endpoint
  /** Who shall receive, as the present stretch of the way sees it. */
  readonly destination: Endpoint
  /** The payload. */
  readonly bytes: Uint8Array
}

/**
 * Why a datagram did not arrive: lost on a link, a link that is down, too big for a link, no room in the queue of a
 * slow link, no such address, nobody on the port, no address of the destination's family, blocked by somebody's rule,
 * no mapping at a NAT, refused by a NAT's filtering, sent by a NAT's own side to its outside without hairpinning, or no
 * external port left.
 */
export type SimDropReason =
  | 'lost'
  | 'link-down'
  | 'too-big'
  | 'queue-full'
  | 'unreachable'
  | 'closed-port'
  | 'no-address'
  | 'blocked'
  | 'no-mapping'
  | 'filtered'
  | 'hairpin'
  | 'no-port'

/** Something that happened to a datagram, for traces. */
export type SimEvent =
  | { readonly kind: 'sent'; readonly at: number; readonly datagram: SimDatagram }
  | { readonly kind: 'duplicated'; readonly at: number; readonly datagram: SimDatagram }
  | { readonly kind: 'delivered'; readonly at: number; readonly datagram: SimDatagram }
  | {
      readonly kind: 'dropped'
      readonly at: number
      readonly datagram: SimDatagram
      readonly reason: SimDropReason
    }
