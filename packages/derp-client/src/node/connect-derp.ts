// A relay connection for Node: sockets, TLS and timers around the DerpClient machine. It stays up until closed,
// redialling with back-off.
import type { Clock, RandomSource } from '@mesh/sansio'
import type { DerpEvent, DerpStats } from '../derp-client.ts'
import type { RelayRegion } from '../region.ts'

/** What {@link connectDerp} is told. */
export interface DerpConnectionOptions {
  /** The region to connect to, as in the DERP map; its nodes are tried in order. */
  readonly region: RelayRegion
  /** This node's private key, 32 bytes; kept, not copied. */
  readonly privateKey: Uint8Array
  /** Whether to tell the server after every login that it is this node's home; see {@link DerpConnection.notePreferred}. */
  readonly preferred?: boolean
  /** Dials every node of the region without TLS; a node with `PlainForTests` is dialled so in any case. */
  readonly plain?: boolean
  /** Whether IPv6 is known to work; IPv4 then starts 200 ms late. */
  readonly ipv6Works?: boolean
  /** PEM certificates to trust besides the system's. */
  readonly extraRoots?: readonly string[]
  /** Time; the system's clock unless given. */
  readonly clock?: Clock
  /** Random bytes; the system's unless given. */
  readonly random?: RandomSource
}

/** A connection to one relay region that redials by itself until closed. */
export interface DerpConnection {
  /** The number of the region it connects to. */
  readonly region: number
  /** Whether the server has accepted the login of the present connection. */
  readonly connected: boolean
  /** What was counted so far. */
  readonly stats: DerpStats
  /**
   * Sends a packet to the node with this key. Never blocks and never throws on a connection that is down: up to
   * 32 packets wait, then the oldest is dropped.
   *
   * @param to - The node key, 32 bytes.
   * @param packet - Copied before `send` returns; at most 65,536 bytes, a longer one is dropped.
   */
  send(to: Uint8Array, packet: Uint8Array): void
  /** Calls `take` with each packet: the sender's node key and the bytes, both views valid during the call only. Returns the way to stop. */
  onPacket(take: (source: Uint8Array, packet: Uint8Array) => void): () => void
  /** Calls `take` when the server says that a node is not (any more) there. Returns the way to stop. */
  onPeerGone(take: (nodeKey: Uint8Array, reason: number) => void): () => void
  /** Calls `take` with every event, peer-gone too. Returns the way to stop. */
  onEvent(take: (event: DerpEvent) => void): () => void
  /** Tells the server whether this region is the node's home, now and after every reconnect. */
  notePreferred(preferred: boolean): void
  /** Asks the server for an echo; it comes back as a `pong` event, and silence of 3 s makes the client redial. */
  ping(): void
  /** Hangs up for good. Idempotent. */
  close(): void
}

/** Connects to a relay region and stays connected. The attempt starts at once; results arrive as events. */
export function connectDerp(options: DerpConnectionOptions): DerpConnection {
  throw new Error(`not yet: ${options.region.RegionID}`)
}
