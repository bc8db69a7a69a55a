// One relay connection as a machine.
import type { DerpError } from './errors.ts'

/** Something that happened to a relay connection, for its owner to know. */
export type DerpEvent =
  /** The server accepted the login. `serverKey` is its public key, 32 bytes. */
  | { kind: 'event'; event: 'connected'; serverKey: Uint8Array }
  /** The connection ended or an attempt failed; the next attempt is `retryIn` milliseconds away. */
  | { kind: 'event'; event: 'disconnected'; error: DerpError; retryIn: number }
  /** A node left (reason 0) or is not at this relay (reason 1). */
  | { kind: 'event'; event: 'peer-gone'; nodeKey: Uint8Array; reason: number }
  /** The server reports trouble with this connection; an empty text means that all is well again. */
  | { kind: 'event'; event: 'health'; problem: string }
  /** The server is about to restart: come back in `reconnectIn` and try for `tryFor` milliseconds. */
  | { kind: 'event'; event: 'restarting'; reconnectIn: number; tryFor: number }
  /** The answer to a ping, with the round trip in milliseconds. */
  | { kind: 'event'; event: 'pong'; roundTrip: number }

/** What a relay connection counted. */
export interface DerpStats {
  /** Packets handed to the stream. */
  readonly sent: number
  /** Packets received. */
  readonly received: number
  /** Packets dropped for want of room or by the server's token bucket. */
  readonly dropped: number
  /** Frames too short to mean anything, or of an unknown type. */
  readonly ignored: number
  /** Connections that reached the login. */
  readonly connects: number
}
