// What comes out of a relay: all that it wants done to streams, siblings and other parts.
import type { SiblingId } from './clients.ts'
import type { CloseReason, ConnectionId } from './connection.ts'

/** What the relay's owner has to do. */
export type RelayOutput =
  /** Write these bytes to the connection's stream, and say so by `Relay.handleWritten` when it took them. */
  | { kind: 'write'; connection: ConnectionId; bytes: Uint8Array }
  /** Close the stream; the relay has forgotten it. */
  | { kind: 'close'; connection: ConnectionId; reason: CloseReason }
  /** Decide whether this key may come in, and say so by `Relay.handleAdmission` within 10 s. */
  | { kind: 'admit'; connection: ConnectionId; nodeKey: Uint8Array; source: string }
  /**
   * A key came to this relay, or spoke here again after having been active elsewhere, or left it; or, `beyond` it, came to
   * a sibling or left that. With a `connection`, say of each part by `Relay.handleAware` that it knows: until then
   * the login is not answered.
   */
  | {
      kind: 'presence'
      nodeKey: Uint8Array
      present: boolean
      beyond: boolean
      connection: ConnectionId | undefined
    }
  /** Ask another part of this relay to hang up on a client. */
  | { kind: 'close-peer'; sibling: SiblingId; nodeKey: Uint8Array }
  /** Stop or go on reading from the connection's stream: its client sent more than the receive limit. */
  | { kind: 'pause' | 'resume'; connection: ConnectionId }
  /**
   * Hand this packet to a sibling relay. The fields view the bytes last passed to `Relay.handleBytes`: use them
   * before the next input.
   */
  | {
      kind: 'forward'
      sibling: SiblingId
      source: Uint8Array
      destination: Uint8Array
      packet: Uint8Array
    }
