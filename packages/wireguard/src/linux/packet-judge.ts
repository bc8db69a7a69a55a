// The seat for a packet filter inside the data plane: it judges on the thread that moves the packets, so that none of
// them has to visit another.
import type { PeerId } from '../packet-batch.ts'

/** The packet goes on. */
export const ACCEPT = 0
/** The packet is dropped; who judged has counted it. */
export const DROP = 1
/** The packet is for the control side. */
export const UP = 2

/** A packet that a peer sends goes on, with other headers than it came with: it may be of a flow that it was not of before. */
export const CHANGED = 3

/** What becomes of a packet. */
export type Verdict = typeof ACCEPT | typeof DROP | typeof UP

/**
 * Judges packets. Each is `length` bytes at `at`, lent: a view of its own would be an object for every packet. It may be a
 * super-packet: the headers are those of a packet, the length is more.
 */
export interface PacketJudge {
  /** Judges what the host sends. */
  fromOverlay(bytes: Uint8Array, at: number, length: number): Verdict
  /** May change the headers of what the host sends and was let through, but not where it goes: checksums are its to keep right. */
  leave?(bytes: Uint8Array, at: number, length: number): void
  /** Judges what a peer sends, whose source is one of that peer's; it may change its headers likewise, and says so by `CHANGED`. */
  toOverlay(bytes: Uint8Array, at: number, length: number, peer: PeerId): Verdict | typeof CHANGED
  /** Hears what the control side has to say to it. */
  handleMessage?(message: unknown): void
}

/** Lets everything pass. */
export const ACCEPT_ALL: PacketJudge = {
  fromOverlay: () => ACCEPT,
  toOverlay: () => ACCEPT,
}
