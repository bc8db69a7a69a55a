// WireGuard whole, over whatever carries datagrams: the machine (handshakes, timers) and a data plane (packets)
// joined. It owns no socket and no timer: packets and time go in, callbacks and events come out.
import type { Crypto, RandomSource } from '@mesh/noise'
import type { Machine } from '@mesh/sansio'
import type { DataPlane, DataPlaneCounters, DataPlaneOutputs, PeerCounters } from './data-plane.ts'
import type { HandshakeDropReason, WireGuardEvent, WireGuardOutput } from './output.ts'
import {
  type DatagramBatch,
  type PacketBatch,
  type PeerBatch,
  type PeerId,
  packetOf,
} from './packet-batch.ts'
import type { PeerConfig, PeerSessionStatus } from './peer-config.ts'
import { PortableDataPlane } from './portable-data-plane.ts'
import { WireGuard } from './wireguard.ts'

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
  /** The primitives; `nobleCrypto` when left out. `nodeCrypto` of `@mesh/noise/node` is much faster. */
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
   * A peer has proven itself from this source. `data`: authentic data came from there, so the path may move (threat
   * 24). `handshake`: only an initiation or response did, which somebody else may have carried there; good for a peer
   * that has no path yet.
   */
  onSource?(peer: PeerId, source: number, proof: 'data' | 'handshake'): void
  /**
   * Returns bytes that name a source, so that a cookie is good for that source alone and a flooder is told from the others:
   * two bytes of port and an address behind them, whose host is limited as one, with four bytes in front for a tunnel that
   * ends there; or a name of another length, such as a relay's and a key. Without a name only the load of all together counts.
   */
  nameSource?(source: number): Uint8Array | undefined
}

const NOTHING = new Uint8Array(0)

/** A WireGuard device: peers, handshakes, sessions and packets. */
export class WireGuardDevice implements Machine<WireGuardEvent> {
  readonly #outputs: DeviceOutputs
  readonly #machine: WireGuard
  readonly #plane: DataPlane
  readonly #events: WireGuardEvent[] = []
  readonly #singletons: Singleton[] = []
  readonly #priorities = new Map<PeerId, Uint8Array>()

  /** @throws RangeError when the private key is not 32 bytes. */
  constructor(options: DeviceOptions) {
    this.#outputs = options.outputs
    this.#machine = new WireGuard(options)
    const make = options.dataPlane ?? ((outputs) => new PortableDataPlane(outputs, options))
    this.#plane = make({
      toOverlay: (batch) => this.#outputs.toOverlay(batch),
      toUnderlay: (peer, batch) => this.#outputs.toUnderlay(peer, batch),
      onDatagrams: (batch, now) => this.#handleControl(batch, now),
      onActivity: (peer, activity, now) => {
        this.#machine.handleActivity(peer, activity, now)
        this.#perform(now)
      },
      onSource: (peer, source) => this.#outputs.onSource?.(peer, source, 'data'),
      onSessionEnd: (localIndex) => this.#machine.handleSessionEnd(localIndex),
    })
  }

  /** Own public key, 32 bytes. */
  get publicKey(): Uint8Array {
    return this.#machine.publicKey
  }

  /** Handshake messages dropped, by reason. */
  get handshakeDrops(): Readonly<Record<HandshakeDropReason, number>> {
    return this.#machine.drops
  }

  /**
   * Sets who the peers are. Those that stay keep their sessions, those that are gone are forgotten and their keys
   * wiped, and one that comes with another key starts anew.
   */
  setPeers(peers: readonly PeerConfig[], now: number): void {
    this.#machine.setPeers(peers, now)
    const kept = new Set(peers.map(({ id }) => id))
    for (const id of this.#priorities.keys()) if (!kept.has(id)) this.#priorities.delete(id)
    this.#perform(now) // the old sessions end before the new routes begin
    this.#plane.setRoutes(
      peers.map(({ id, allowedIps, excludedIps = [], routes = allowedIps }) => ({
        peer: id,
        allowedIps,
        excludedIps,
        routes,
      })),
    )
    for (const { id, priorityPacket } of peers) this.#setPriorityPacket(id, priorityPacket)
  }

  /**
   * Sets another own private key, 32 bytes, which is copied. All sessions end and all peers are forgotten, for what they
   * know us by is gone: set them again.
   *
   * @throws RangeError when it is not 32 bytes.
   */
  setPrivateKey(privateKey: Uint8Array, now: number): void {
    this.#machine.setPrivateKey(privateKey)
    this.#priorities.clear()
    this.#perform(now)
    this.#plane.setRoutes([])
  }

  /** Begins a handshake with a peer, however young its session is; five seconds after the last one at the earliest. */
  startHandshake(peer: PeerId, now: number): void {
    this.#machine.startHandshake(peer, now)
    this.#perform(now)
  }

  /** Forgets a peer's sessions and handshake, because it has restarted; what is sent next begins a new handshake. */
  resetPeer(peer: PeerId, now: number): void {
    this.#machine.resetPeer(peer)
    this.#perform(now)
  }

  /** As {@link WireGuardDevice.resetPeer} for all: the machine has slept for longer than sessions live. */
  resetPeers(now: number): void {
    this.#machine.resetPeers()
    this.#perform(now)
  }

  /** Takes packets from the overlay. Any batch of that shape will do, a TUN device's too. */
  fromOverlay(batch: PacketBatch, now: number): void {
    this.#plane.fromOverlay(batch, now)
  }

  /** Takes datagrams from the network. */
  fromUnderlay(batch: DatagramBatch, now: number): void {
    this.#plane.fromUnderlay(batch, now)
  }

  /** Takes one packet from the overlay: {@link WireGuardDevice.fromOverlay} for whoever has no batches. */
  handlePacket(packet: Uint8Array, now: number): void {
    const batch = this.#singleton(packet, -1)
    this.#plane.fromOverlay(batch, now)
    this.#singletons.push(batch)
  }

  /** Takes one datagram from the network: {@link WireGuardDevice.fromUnderlay} for whoever has no batches. */
  handleDatagram(datagram: Uint8Array, source: number, now: number): void {
    const batch = this.#singleton(datagram, source)
    this.#plane.fromUnderlay(batch, now)
    this.#singletons.push(batch)
  }

  /** Does what is due. Harmless when called early. */
  handleTimeout(now: number): void {
    this.#machine.handleTimeout(now)
    this.#perform(now)
  }

  /** Returns the next event, or `undefined` when drained. Packets do not wait for this: they go by callback at once. */
  poll(): WireGuardEvent | undefined {
    return this.#events.shift()
  }

  /** Returns when to call {@link WireGuardDevice.handleTimeout}; `Infinity` means never. Ask after every input. */
  pollTimeout(): number {
    return this.#machine.pollTimeout()
  }

  /** Returns what is known of a peer's handshakes; `undefined` for one it does not know. */
  status(peer: PeerId): PeerSessionStatus | undefined {
    return this.#machine.status(peer)
  }

  /** Returns the data plane's sums; a snapshot. */
  counters(): DataPlaneCounters {
    return this.#plane.counters()
  }

  /** Returns the sums of a peer; `undefined` for one it does not know. */
  peerCounters(peer: PeerId): PeerCounters | undefined {
    return this.#plane.peerCounters(peer)
  }

  /** Wipes all keys. The device does nothing after this. */
  close(): void {
    this.#machine.close()
    this.#perform(-Infinity)
    this.#plane.setRoutes([])
  }

  /** A data plane may be a thread away: it is told of what is new only. */
  #setPriorityPacket(peer: PeerId, packet: Uint8Array | undefined): void {
    const before = this.#priorities.get(peer)
    if (packet === undefined ? before === undefined : before !== undefined && sameBytes(packet, before))
      return
    if (packet === undefined) this.#priorities.delete(peer)
    else this.#priorities.set(peer, packet.slice())
    this.#plane.setPriorityPacket(peer, packet)
  }

  /** A batch that no call is using at the moment. */
  #singleton(packet: Uint8Array, source: number): Singleton {
    return (this.#singletons.pop() ?? new Singleton()).hold(packet, source)
  }

  #handleControl(batch: DatagramBatch, now: number): void {
    for (let i = 0; i < batch.count; i += 1) {
      const source = batch.sources[i] ?? -1
      const name = this.#outputs.nameSource?.(source)
      this.#machine.handleDatagram(packetOf(batch, i), source, name, now)
      this.#perform(now)
    }
  }

  /** Does what the machine asks for: nearly all of it is for the data plane. */
  #perform(now: number): void {
    for (let output = this.#machine.poll(); output !== undefined; output = this.#machine.poll()) {
      this.#performOne(output, now)
    }
  }

  #performOne(output: WireGuardOutput, now: number): void {
    switch (output.kind) {
      case 'transmit':
        return this.#outputs.toUnderlay(output.peer, new Singleton().hold(output.datagram, -1))
      case 'reply':
        return this.#outputs.toSource?.(output.source, output.datagram)
      case 'session':
        this.#plane.setSession(output.peer, output.session, now)
        output.session.sendKey.fill(0)
        output.session.receiveKey.fill(0)
        return
      case 'end-sessions':
        return this.#plane.endSessions(output.peer)
      case 'keepalive':
        return this.#plane.sendKeepalive(output.peer, now)
      case 'drop-staged':
        return this.#plane.dropStaged(output.peer)
      case 'handshake-source':
        return this.#outputs.onSource?.(output.peer, output.source, 'handshake')
      case 'event':
        this.#events.push(output)
    }
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** A batch of one, around bytes that are there already. */
class Singleton implements DatagramBatch {
  bytes: Uint8Array = NOTHING
  readonly offsets: Int32Array = new Int32Array(1)
  readonly lengths: Int32Array = new Int32Array(1)
  readonly sources: Int32Array = new Int32Array(1)
  readonly count = 1

  hold(packet: Uint8Array, source: number): this {
    this.bytes = packet
    this.lengths[0] = packet.length
    this.sources[0] = source
    return this
  }
}
