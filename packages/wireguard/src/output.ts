// What comes out of the WireGuard machine.
import type { SessionKeys } from './data-plane.ts'
import type { PeerId } from './packet-batch.ts'

/** Something that happened, for the owner's log and status. */
export type WireGuardEvent =
  /** A handshake was completed. */
  | {
      readonly kind: 'event'
      readonly event: 'established'
      readonly peer: PeerId
      readonly initiator: boolean
    }
  /** A peer did not answer for 90 seconds; what waited for it was dropped. */
  | { readonly kind: 'event'; readonly event: 'handshake-failed'; readonly peer: PeerId }

/** Something the owner of the machine has to do, or may want to know. */
export type WireGuardOutput =
  /** Send this handshake message to the peer, by whatever path is best. */
  | { readonly kind: 'transmit'; readonly peer: PeerId; readonly datagram: Uint8Array }
  /** Send this cookie reply back to where a message came from. */
  | { readonly kind: 'reply'; readonly source: number; readonly datagram: Uint8Array }
  /** Give these keys to the data plane, which copies them; then wipe them. */
  | { readonly kind: 'session'; readonly peer: PeerId; readonly session: SessionKeys }
  /** Have the data plane forget every session of this peer. */
  | { readonly kind: 'end-sessions'; readonly peer: PeerId }
  /** Have the data plane send an empty packet. */
  | { readonly kind: 'keepalive'; readonly peer: PeerId }
  /** Have the data plane drop what waits for a session with this peer. */
  | { readonly kind: 'drop-staged'; readonly peer: PeerId }
  /** The peer has proven its key in a handshake message from here. A hint: only authentic data may move a path. */
  | { readonly kind: 'handshake-source'; readonly peer: PeerId; readonly source: number }
  | WireGuardEvent

/** Why a handshake message was dropped. Counted, never answered. */
export type HandshakeDropReason =
  /** Not a handshake message, or of the wrong length. */
  | 'malformed'
  /** MAC1 is wrong: it was not meant for this key. */
  | 'bad-mac1'
  /** It answers nothing we said. */
  | 'unknown-index'
  /** It does not open. */
  | 'bad-handshake'
  /** It opens, but the key in it is no peer's. */
  | 'unknown-peer'
  /** Its timestamp is not greater than the last one of that peer (W4). */
  | 'replayed'
  /** It comes 20 ms or less after the last one of that peer (W4). */
  | 'too-soon'
  /** There are more than can be worked on. */
  | 'overload'
  /** A cookie was asked for instead (W15). */
  | 'cookie-sent'
