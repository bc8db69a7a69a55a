// What comes out of a relay connection: work for its owner, and news.
import type { Endpoint } from '@mesh/wire/ip'
import type { DerpError } from './errors.ts'

/** Something that happened to a relay connection, for its owner to know. */
export type DerpEvent =
  /** The server accepted the login. `serverKey` is its public key, 32 bytes. */
  | { kind: 'event'; event: 'connected'; serverKey: Uint8Array }
  /** The connection ended or an attempt failed; the next attempt is `retryIn` milliseconds away. */
  | { kind: 'event'; event: 'disconnected'; error: DerpError; retryIn: number }
  /** A node left (reason 0) or is not at this relay (reason 1). */
  | { kind: 'event'; event: 'peer-gone'; nodeKey: Uint8Array; reason: number }
  /**
   * A node is at this relay, which a watcher is told: where it connects from, and the kind of client in bits
   * (1 regular, 2 mesh peer, 4 prober, 8 not at its ideal relay); 0 when not said.
   */
  | { kind: 'event'; event: 'peer-present'; nodeKey: Uint8Array; endpoint?: Endpoint; flags: number }
  /** The server reports trouble with this connection; an empty text means that all is well again. */
  | { kind: 'event'; event: 'health'; problem: string }
  /** The server is about to restart: come back in `reconnectIn` and try for `tryFor` milliseconds. */
  | { kind: 'event'; event: 'restarting'; reconnectIn: number; tryFor: number }
  /** The server says that it is there; it does so when there is nothing else to say. */
  | { kind: 'event'; event: 'keep-alive' }
  /** The answer to a ping, with the round trip in milliseconds. */
  | { kind: 'event'; event: 'pong'; roundTrip: number }

/** What the owner of a `DerpClient` has to do. */
export type DerpOutput =
  /** Open a stream to the region and upgrade it, then call `handleOpened`, or `handleClosed` if that fails. */
  | { kind: 'dial' }
  /** Write these bytes to the stream. */
  | { kind: 'write'; bytes: Uint8Array }
  /** Close the stream, or give up the dialling under way. Nothing is to be reported back. */
  | { kind: 'hang-up' }
  /** A packet came. Both fields view the bytes last passed to `handleBytes`: use them before the next input. */
  | { kind: 'packet'; source: Uint8Array; packet: Uint8Array }
  | DerpEvent

/** What a relay connection counted. */
export interface DerpStats {
  /** Packets handed to the stream. */
  readonly sent: number
  /** Packets received. */
  readonly received: number
  /** Packets dropped: too long, pushed out by fresher ones, or above the rate that the server asked for. */
  readonly dropped: number
  /** Frames too short to mean anything, or of a type unknown here. */
  readonly ignored: number
  /** Logins that the server accepted. */
  readonly connects: number
}

/** The counters as a client keeps them. */
export type Counters = { -readonly [name in keyof DerpStats]: DerpStats[name] }
