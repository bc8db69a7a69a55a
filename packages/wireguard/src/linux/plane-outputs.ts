// What a core says to whoever drives it.
import type { PeerId } from '../packet-batch.ts'
import type { PlanePeer } from '../plane-peer.ts'
import type { Coalescer } from './coalescer.ts'
import type { Trains } from './trains.ts'

/** What comes out of a `PlaneCore`. Everything is lent until the call returns, and none may call the core. */
export interface PlaneCoreOutputs {
  /** Packets and super-packets for the TUN. */
  toOverlay(packets: Coalescer): void
  /** Trains of sealed datagrams. */
  toUnderlay(trains: Trains): void
  /** A packet that only the control side can handle: from the host (`peer` is -1), or from a peer. */
  onPacket(packet: Uint8Array, peer: PeerId): void
  /** A datagram that is not transport data. */
  onDatagram(datagram: Uint8Array, source: number): void
  /** What happened with a peer, once an input: bits of `ACTIVITY`. */
  onActivity(peer: PlanePeer, activity: number): void
  /** Authentic data came from this source, said once an input. */
  onSource(peer: PeerId, source: number): void
  /** A session is gone and its index is free. */
  onSessionEnd(localIndex: number): void
  /** A packet (`length` bytes at `at`, lent) that the host sends was let through: others that judge may want to know. */
  onFlow?(bytes: Uint8Array, at: number, length: number): void
  /** A session that its peer began is in use now: others that seal must know. */
  onEstablished?(peer: PeerId, localIndex: number): void
  /** Whether another core opens the datagrams with this index: they are handed out like what is not transport data. */
  isForeign?(localIndex: number): boolean
}
