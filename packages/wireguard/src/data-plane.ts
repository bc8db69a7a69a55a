// The data plane's seat: everything that is done for each packet of an established session, apart from everything
// that is done once a session. The control side (handshakes, timers, paths) tells it keys and routes, and hears from
// it what happened, a few bits for each peer and batch. Two fillings share one contract (`./contract`): the portable
// one here, and one that a thread of its own may run, which is why nothing in it asks and waits for an answer.
import type { Prefix } from '@mesh/wire/ip'
import type { DatagramBatch, PacketBatch, PeerBatch, PeerId } from './packet-batch.ts'

/** A session as the handshake made it. The data plane copies the keys and wipes its copies in the end. */
export interface SessionKeys {
  /** The index the peer addresses us by. */
  readonly localIndex: number
  /** The index we address the peer by. */
  readonly remoteIndex: number
  /** 32 bytes: seals what we send. */
  readonly sendKey: Uint8Array
  /** 32 bytes: opens what we receive. */
  readonly receiveKey: Uint8Array
  /** Whether we began the handshake. The responder may send only once the initiator was heard with the new key. */
  readonly initiator: boolean
  /** When the keys were made, in monotonic milliseconds: their age counts from here. */
  readonly createdAt: number
}

/** Which overlay addresses belong to a peer. */
export interface PeerRoutes {
  /** The peer. */
  readonly peer: PeerId
  /** Destinations that go to this peer, the longest prefix of all peers first. */
  readonly routes: readonly Prefix[]
  /** Sources that this peer may use. Prefixes of two peers may overlap, each is judged by its own (W14). */
  readonly allowedIps: readonly Prefix[]
  /** Sources inside `allowedIps` that it may not use after all, unless a longer prefix of its own allows them again. */
  readonly excludedIps?: readonly Prefix[]
}

/**
 * What happened with a peer during one call, as bits of one number, put together by `addActivity`.
 *
 * `sent` and `received` count keepalives too. `sentData`: data was sent, and nothing received since; `receivedData`: data was
 * received, and nothing sent since. `established`: the peer was heard with the key of a session it began, so that session is
 * in use now. `needSession`: there is something to send, and no key to send it with. `rekey`: the session in use is old
 * enough for its initiator to begin the next.
 */
export const ACTIVITY = {
  sent: 1,
  sentData: 2,
  received: 4,
  receivedData: 8,
  established: 16,
  needSession: 32,
  rekey: 64,
} as const

/**
 * Returns what happened when `later` followed `before`: what was answered meanwhile waits for no answer any more, and a session
 * that was asked for and is there is asked for no more. Otherwise whoever hears of both at once would wait for what has come
 * long ago (W10), or begin what is done (W9).
 */
export function addActivity(before: number, later: number): number {
  let kept = before
  if ((later & ACTIVITY.received) !== 0) kept &= ~ACTIVITY.sentData
  if ((later & ACTIVITY.sent) !== 0) kept &= ~ACTIVITY.receivedData
  if ((later & ACTIVITY.established) !== 0) kept &= ~(ACTIVITY.needSession | ACTIVITY.rekey)
  return kept | later
}

/** Why a packet was dropped. Counted, never thrown. */
export type DropReason =
  /** From the overlay: not an IP packet. */
  | 'not-ip'
  /** From the overlay: no peer has the destination. */
  | 'no-route'
  /** From the overlay: more than the peer's queue holds while there is no session; the oldest go. */
  | 'staged-overflow'
  /** From the overlay: the handshake was given up, and what waited for it went. */
  | 'no-session'
  /** From the network: none of WireGuard's four messages. */
  | 'not-wireguard'
  /** From the network: no session has this index. */
  | 'unknown-index'
  /** From the network: the session is 180 s old. */
  | 'expired'
  /** From the network: the counter is beyond what a session may count. */
  | 'counter-limit'
  /** From the network: it does not open. */
  | 'forged'
  /** From the network: it was here before, or is too old to tell. */
  | 'replayed'
  /** From the network: inside is no IP packet, or one that claims to be longer than it is. */
  | 'bad-inner'
  /** From the network: the source inside is not one of that peer. */
  | 'wrong-source'

/** Sums since the data plane began. */
export interface DataPlaneCounters {
  /** Packets sealed and handed to the network, keepalives with them. */
  readonly sealed: number
  /** Packets opened and found good, keepalives with them. */
  readonly opened: number
  /** Packets dropped, by reason. */
  readonly drops: Readonly<Record<DropReason, number>>
}

/** Sums of one peer. */
export interface PeerCounters {
  /** Bytes of datagrams sent to it, headers and padding with them. */
  readonly sentBytes: number
  /** Bytes of authentic datagrams received from it. */
  readonly receivedBytes: number
  /** Datagrams sent to it. */
  readonly sentPackets: number
  /** Authentic datagrams received from it. */
  readonly receivedPackets: number
}

/**
 * What a data plane says. Every batch is lent until the call returns. A callback may call the data plane in turn, so
 * an answer can be sent from within `toOverlay`.
 */
export interface DataPlaneOutputs {
  /** Packets for the overlay device: authentic, trimmed, from an address of their peer. */
  toOverlay(batch: PeerBatch): void
  /** Datagrams for one peer, in the order in which they are to be sent. */
  toUnderlay(peer: PeerId, batch: PacketBatch): void
  /** Handshake messages and cookie replies (types 1 to 3, their lengths checked), for the control side. */
  onDatagrams(batch: DatagramBatch, now: number): void
  /** What happened with a peer, once a call: bits of {@link ACTIVITY}. */
  onActivity(peer: PeerId, activity: number, now: number): void
  /** Authentic data came from this source. Only this may move a peer's path (threat 24). */
  onSource(peer: PeerId, source: number): void
  /** A session is gone and its index is free. */
  onSessionEnd(localIndex: number): void
}

/**
 * Moves packets between an overlay and the network for peers with sessions, and keeps a few for those without.
 * Times are monotonic milliseconds. Nothing throws for what a packet holds.
 */
export interface DataPlane {
  /** Replaces all routes. A peer that is no longer named is forgotten, its keys wiped. */
  setRoutes(peers: readonly PeerRoutes[]): void
  /**
   * Adds a session. One that we began is used at once: the priority packet goes first, then whatever was waiting, or
   * else a keepalive (W7). One that the peer began is used from the first packet it seals with it.
   */
  setSession(peer: PeerId, session: SessionKeys, now: number): void
  /** Forgets all sessions of a peer and wipes their keys. What waits goes on waiting. */
  endSessions(peer: PeerId): void
  /** Drops what waits for a session with this peer. */
  dropStaged(peer: PeerId): void
  /** Sets the packet that opens every session with this peer, or none (data-plane.md 1.9). It is copied. */
  setPriorityPacket(peer: PeerId, packet: Uint8Array | undefined): void
  /** Sends an empty packet, or says `needSession` where it cannot. */
  sendKeepalive(peer: PeerId, now: number): void
  /** Takes packets from the overlay: each goes sealed to the peer its destination belongs to, or waits, or drops. */
  fromOverlay(batch: PacketBatch, now: number): void
  /** Takes datagrams from the network. */
  fromUnderlay(batch: DatagramBatch, now: number): void
  /** Returns the sums so far; a snapshot. */
  counters(): DataPlaneCounters
  /** Returns the sums of a peer; `undefined` for one it does not know. */
  peerCounters(peer: PeerId): PeerCounters | undefined
}
