// The machine: knows every peer's paths and sends each packet over the best, keeps the home relay, finds out
// what the network looks like, and speaks disco. Stands where WireGuard's UDP socket would be.
import type { Machine, RandomSource } from '@mesh/sansio'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { SocketPorts } from './datagram-socket.ts'
import type { DropCounters } from './drops.ts'
import type { LocalEndpoint } from './endpoints.ts'
import type { NetcheckReport } from './netcheck.ts'
import type { MagicSockOutput } from './output.ts'
import type { PeerConfig, PeerId, PeerStatus } from './peer-config.ts'
import type { RelayMap } from './relay-map.ts'
import type { Underlay } from './underlay.ts'

/** How {@link MagicSock} begins. */
export interface MagicSockOptions {
  /** Our node public key, 32 bytes: every disco ping carries it. */
  readonly nodeKey: Uint8Array
  /** Our disco private key, 32 bytes. A fresh one for each start of the process. */
  readonly discoPrivateKey: Uint8Array
  /** Where data packets go. */
  readonly underlay: Underlay
  /** Source of transaction ids, nonces and jitter. */
  readonly random: RandomSource
  /** Monotonic milliseconds. */
  readonly now: number
  /**
   * Loopback addresses are endpoints like any other: advertised, probed, and believed from STUN. For several
   * nodes on one machine. Otherwise they count only when the machine has no other address at all.
   */
  readonly allowLoopback?: boolean
}

/** What {@link MagicSock.send} did: a set of bits. 0 means that nothing could be sent. */
export const SENT = {
  nothing: 0,
  direct: 1,
  relay: 2,
  both: 3,
} as const

/**
 * Finds and keeps the best path to each peer.
 *
 * Control work comes out of {@link MagicSock.poll}; data packets leave by the {@link Underlay} in the very call.
 * After a call that may have left work behind, {@link MagicSock.needsPoll} says so: a loop that sends many packets
 * reads that flag instead of polling once a packet.
 */
export class MagicSock implements Machine<MagicSockOutput> {
  constructor(options: MagicSockOptions) {
    throw new Error(`not written yet ${options.now}`)
  }

  /** Our disco public key, for control to hand to the peers. */
  get discoKey(): Uint8Array {
    throw new Error('not written yet')
  }

  /** The endpoints advertised now. */
  get endpoints(): readonly LocalEndpoint[] {
    throw new Error('not written yet')
  }

  /** The home relay region; 0 while there is none. */
  get homeRelay(): number {
    throw new Error('not written yet')
  }

  /** The last finished netcheck. */
  get report(): NetcheckReport | undefined {
    throw new Error('not written yet')
  }

  /** Whether there are outputs to poll, or a timeout that has moved since {@link MagicSock.pollTimeout} was read. */
  get needsPoll(): boolean {
    throw new Error('not written yet')
  }

  /** Packets thrown away, by reason. */
  get drops(): Readonly<DropCounters> {
    throw new Error('not written yet')
  }

  /** Replaces the set of peers. What is known of the paths of those that stay is kept. */
  setPeers(peers: readonly PeerConfig[], now: number): void {
    throw new Error(`not written yet ${peers.length} ${now}`)
  }

  /** Replaces the relay map. */
  setRelays(relays: RelayMap, now: number): void {
    throw new Error(`not written yet ${relays.size} ${now}`)
  }

  /** Says where the sockets are bound and which addresses the machine has, already chosen by the rules of section 5.8. */
  setLocalAddresses(addresses: readonly IpAddress[], ports: SocketPorts, now: number): void {
    throw new Error(`not written yet ${addresses.length} ${ports.v4} ${now}`)
  }

  /** Says whether control can be asked; while it cannot, a home once chosen stays. Initially it can. */
  setControlConnected(connected: boolean): void {
    throw new Error(`not written yet ${connected}`)
  }

  /** Takes a disco key that a peer has told inside its own tunnel (section 4.9); the session goes on. */
  learnDiscoKey(peer: PeerId, discoKey: Uint8Array, now: number): void {
    throw new Error(`not written yet ${peer} ${discoKey.length} ${now}`)
  }

  /**
   * Sends one WireGuard datagram to a peer, at once, by whatever path there is, and looks for a better one.
   *
   * @returns A set of {@link SENT} bits.
   */
  send(peer: PeerId, datagram: Uint8Array, now: number): number {
    throw new Error(`not written yet ${peer} ${datagram.length} ${now}`)
  }

  /**
   * Takes a UDP datagram.
   *
   * @returns `'consumed'` for STUN, disco and what is dropped; else the bytes are WireGuard's: the number of the peer
   * that the source belongs to, or -1 when it belongs to nobody yet. A claim, not a proof: WireGuard authenticates.
   */
  handleDatagram(bytes: Uint8Array, from: Endpoint, now: number): PeerId | -1 | 'consumed' {
    throw new Error(`not written yet ${bytes.length} ${from.port} ${now}`)
  }

  /**
   * Names the source of the datagram that {@link MagicSock.handleDatagram} returned last, as a number to hand back
   * to {@link MagicSock.attribute}. 0 for packets that came through a relay.
   */
  get lastSource(): number {
    throw new Error('not written yet')
  }

  /** Says that WireGuard has authenticated a packet of `peer` from this source (section 5.9). Receive side only. */
  attribute(source: number, peer: PeerId): void {
    throw new Error(`not written yet ${source} ${peer}`)
  }

  /**
   * Takes a packet that came through a relay region.
   *
   * @param source - The sender's node public key, as the relay vouches for it.
   * @returns The peer whose WireGuard datagram it is, or `'consumed'`.
   */
  handleRelayPacket(region: number, source: Uint8Array, bytes: Uint8Array, now: number): PeerId | 'consumed' {
    throw new Error(`not written yet ${region} ${source.length} ${bytes.length} ${now}`)
  }

  /** Hears that a relay no longer has this node. */
  handlePeerGone(region: number, nodeKey: Uint8Array): void {
    throw new Error(`not written yet ${region} ${nodeKey.length}`)
  }

  /** Hears that the connection to a region broke; the owner is reconnecting. */
  handleRelayLost(region: number, now: number): void {
    throw new Error(`not written yet ${region} ${now}`)
  }

  /** Hears that a UDP send failed, with the system's name for the failure. */
  handleSendError(code: string, to: Endpoint | undefined, now: number): void {
    throw new Error(`not written yet ${code} ${to?.port} ${now}`)
  }

  /** Hears that the machine's network is another one: all paths are forgotten and looked for anew. */
  handleNetworkChange(now: number): void {
    throw new Error(`not written yet ${now}`)
  }

  /** Starts a ping; an event `ping` with the returned number says how it ended, within 5 s. */
  ping(peer: PeerId, now: number): number {
    throw new Error(`not written yet ${peer} ${now}`)
  }

  /** Starts a netcheck now; an event `netcheck` follows. */
  restun(now: number): void {
    throw new Error(`not written yet ${now}`)
  }

  /** Returns how a peer stands, or `undefined` for one that is not known. */
  status(peer: PeerId, now: number): PeerStatus | undefined {
    throw new Error(`not written yet ${peer} ${now}`)
  }

  /** Does what is due. */
  handleTimeout(now: number): void {
    throw new Error(`not written yet ${now}`)
  }

  /** Returns the next thing to do. */
  poll(): MagicSockOutput | undefined {
    throw new Error('not written yet')
  }

  /** Returns when to call {@link MagicSock.handleTimeout}. */
  pollTimeout(): number {
    throw new Error('not written yet')
  }
}
