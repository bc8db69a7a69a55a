// A relay connection as programs hold it: what to call, and what calls back.
import type { DerpEvent, DerpStats } from './output.ts'

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
  /** Hands a packet from `source` to the relay's own client `destination`, as only a mesh peer may; else like `send`. */
  forward(source: Uint8Array, destination: Uint8Array, packet: Uint8Array): void
  /** Asks the relay to hang up on a client, as only a mesh peer may. */
  closePeer(nodeKey: Uint8Array): void
  /**
   * Calls `take` with each packet: the sender's node key and the bytes, both views valid during the call only.
   * Returns the way to stop.
   */
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
