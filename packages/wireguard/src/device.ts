// WireGuard whole, over whatever carries datagrams: the machine (handshakes, timers) and a data plane (packets)
// joined. It owns no socket and no timer: packets and time go in, callbacks and events come out.
import type { Machine } from '@mesh/sansio'
import type { Crypto, RandomSource } from '@mesh/noise'
import type { DataPlane, DataPlaneCounters, DataPlaneOutputs, PeerCounters } from './data-plane.ts'
import type { WireGuardEvent } from './output.ts'
import type { DatagramBatch, PacketBatch, PeerBatch, PeerId } from './packet-batch.ts'
import type { PeerConfig, PeerSessionStatus } from './peer-config.ts'

/** What a device is made of. */
export interface DeviceOptions {
  /** Own static private key, 32 bytes. Copied. */
  readonly privateKey: Uint8Array
  /** Where its packets go. */
  readonly outputs: DeviceOutputs
  /** Random bytes, fit for keys. */
  readonly random: RandomSource
  /** Wall time in milliseconds since 1970, for the timestamps of initiations. */
  readonly wallClock: () => number
  /** The primitives; `nobleCrypto` when left out. `nodeCrypto` of `@mesh/noise/node` is ten times faster. */
  readonly crypto?: Crypto
  /** The overlay's MTU, beyond which no packet is padded; 1280 when left out. */
  readonly mtu?: number
  /** Makes the data plane; a {@link PortableDataPlane} when left out. */
  readonly dataPlane?: (outputs: DataPlaneOutputs) => DataPlane
}

/** Where a device's packets go. Batches are lent until the call returns; calling the device in turn is fine. */
export interface DeviceOutputs {
  /** Packets for the overlay: authentic, from an address of their peer (`batch.peers`). */
  toOverlay(batch: PeerBatch): void
  /** Datagrams for one peer, in order: the owner knows the path. */
  toUnderlay(peer: PeerId, batch: PacketBatch): void
  /** A datagram for where another came from: a cookie reply. Without this it is not sent. */
  toSource?(source: number, datagram: Uint8Array): void
  /**
   * A peer has proven itself from this source. `data`: authentic data came from there, the path may move. `handshake`:
   * only an initiation or response did, which somebody may have carried there; good for a peer with no path yet.
   */
  onSource?(peer: PeerId, source: number, proof: 'data' | 'handshake'): void
  /**
   * Returns bytes that name a source (its address and port), so that a cookie is good for that source alone.
   * Without this the source's number is taken.
   */
  nameSource?(source: number): Uint8Array
}

/** A WireGuard device: peers, handshakes, sessions and packets. */
export class WireGuardDevice implements Machine<WireGuardEvent> {
  constructor(options: DeviceOptions) {
    throw new Error(`not yet: ${options.mtu}`)
  }

  /** Own public key, 32 bytes. */
  get publicKey(): Uint8Array {
    throw new Error('not yet')
  }

  /**
   * Sets who the peers are. Those that stay keep their sessions, those that are gone are forgotten and their keys
   * wiped, and one that comes with another key starts anew.
   */
  setPeers(_peers: readonly PeerConfig[], _now: number): void {
    throw new Error('not yet')
  }

  /** Forgets a peer's sessions and handshake, because it has restarted; what waits for it begins a new handshake. */
  resetPeer(_peer: PeerId, _now: number): void {
    throw new Error('not yet')
  }

  /** Sets the packet that opens every session with this peer, or none (data-plane.md 1.9). */
  setPriorityPacket(_peer: PeerId, _packet: Uint8Array | undefined): void {
    throw new Error('not yet')
  }

  /** Takes packets from the overlay. Any batch of that shape will do, a TUN device's too. */
  fromOverlay(_batch: PacketBatch, _now: number): void {
    throw new Error('not yet')
  }

  /** Takes datagrams from the network. */
  fromUnderlay(_batch: DatagramBatch, _now: number): void {
    throw new Error('not yet')
  }

  /** Takes one packet from the overlay: {@link WireGuardDevice.fromOverlay} for whoever has no batches. */
  handlePacket(_packet: Uint8Array, _now: number): void {
    throw new Error('not yet')
  }

  /** Takes one datagram from the network: {@link WireGuardDevice.fromUnderlay} for whoever has no batches. */
  handleDatagram(_datagram: Uint8Array, _source: number, _now: number): void {
    throw new Error('not yet')
  }

  /** Does what is due. Harmless when called early. */
  handleTimeout(_now: number): void {
    throw new Error('not yet')
  }

  /** Returns the next event, or `undefined` when drained. Packets do not wait for this: they go by callback at once. */
  poll(): WireGuardEvent | undefined {
    throw new Error('not yet')
  }

  /** Returns when to call {@link WireGuardDevice.handleTimeout}; `Infinity` means never. Ask after every input. */
  pollTimeout(): number {
    throw new Error('not yet')
  }

  /** Returns what is known of a peer's handshakes; `undefined` for one it does not know. */
  status(_peer: PeerId): PeerSessionStatus | undefined {
    throw new Error('not yet')
  }

  /** Returns the data plane's sums; a snapshot. */
  counters(): DataPlaneCounters {
    throw new Error('not yet')
  }

  /** Returns the sums of a peer; `undefined` for one it does not know. */
  peerCounters(_peer: PeerId): PeerCounters | undefined {
    throw new Error('not yet')
  }

  /** Wipes all keys. The device does nothing after this. */
  close(): void {
    throw new Error('not yet')
  }
}
