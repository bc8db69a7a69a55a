// The relay for Node: mounts the Relay machine in any HTTP server.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock, RandomSource } from '@mesh/sansio'
import type { RelayStats } from '../stats.ts'

/** Who asks to be admitted: see {@link RelayServerOptions.verifyClient}. */
export interface Admission {
  /** The client's node key, 32 bytes, proved by the login. */
  readonly nodeKey: Uint8Array
  /** The client's address as the socket says it, without the port; empty when unknown. */
  readonly source: string
}

/** What {@link createRelay} is told. */
export interface RelayServerOptions {
  /** The relay's private key, 32 bytes: a node key like a client's, kept across restarts. */
  readonly privateKey: Uint8Array
  /**
   * Says who may use the relay; absent, everybody may. A refusal, an error and an answer later than 10 s all
   * close the connection without a word.
   */
  readonly verifyClient?: (admission: Admission) => boolean | Promise<boolean>
  /** A receiver that takes nothing for this long is cut off, in milliseconds; 2,000 unless given, 0 is never. */
  readonly writeTimeout?: number
  /** Time; the system's clock unless given. */
  readonly clock?: Clock
  /** Random bytes; the system's unless given. */
  readonly random?: RandomSource
}

/** A relay to be mounted in an HTTP server. */
export interface RelayServer {
  /** The relay's public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** What was counted so far. */
  readonly stats: RelayStats
  /**
   * Takes over an upgrade request; for the server's `'upgrade'` event. Every upgrade is answered here: DERP and
   * WebSocket at `/derp` become connections, any other gets 426 or 404 and is closed.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void
  /**
   * Answers `/derp`, `/derp/probe`, `/derp/latency-check`, `/generate_204` and `/robots.txt`; for the `'request'` event.
   *
   * @returns Whether the path was one of these; when `false`, nothing was written.
   */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean
  /** Closes every connection. Idempotent. The HTTP server stays with its owner. */
  close(): void
}

/** Makes a relay. It listens nowhere by itself: mount it in `node:http` or `node:https` servers. */
export function createRelay(options: RelayServerOptions): RelayServer {
  throw new Error(`not yet: ${options.privateKey.length}`)
}
