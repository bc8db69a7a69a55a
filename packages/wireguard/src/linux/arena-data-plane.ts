// The arena's data plane behind the seat, on the caller's own thread: what WebAssembly brings to any platform. What the
// core says is written down, and said once the core is at rest, so that a callback may call in turn.
import { MESSAGE_TRANSPORT, messageType } from '@mesh/wire/wireguard'
import type {
  DataPlane,
  DataPlaneCounters,
  DataPlaneOutputs,
  PeerCounters,
  PeerRoutes,
  SessionKeys,
} from '../data-plane.ts'
import { DEFAULT_MTU } from '../constants.ts'
import { type DatagramBatch, type PacketBatch, PacketBuffer, type PeerId, packetOf } from '../packet-batch.ts'
import type { PlanePeer } from '../plane-peer.ts'
import { type AeadBackend, loadWasmAead, type WasmAead } from '../wasm/index.ts'
import { type Coalescer, MAX_PIECES } from './coalescer.ts'
import { CORE_KEYS, CORE_PACKET_BYTES, PlaneCore } from './plane-core.ts'
import type { PlaneCoreOutputs } from './plane-outputs.ts'
import type { Trains } from './trains.ts'
import { VIRTIO_LENGTH } from './virtio-header.ts'

/** How an {@link ArenaDataPlane} is made. */
export interface ArenaDataPlaneOptions {
  /** The overlay's MTU, beyond which no packet is padded; 1280 when left out. */
  readonly mtu?: number
  /** Bulk crypto over the same arena; the WebAssembly itself when left out. */
  readonly backend?: AeadBackend
}

/** What {@link loadArenaDataPlane} found. */
export type ArenaPlaneLoad =
  | {
      readonly kind: 'loaded'
      /** Opens one data plane over the arena. */
      readonly open: (outputs: DataPlaneOutputs, mtu: number) => ArenaDataPlane
    }
  | { readonly kind: 'missing'; readonly reason: string }

/** Prepares an arena, and returns how to open one data plane over it; or says in one clause why there is none here. */
export function loadArenaDataPlane(): ArenaPlaneLoad {
  const loaded = loadWasmAead({ packetBytes: CORE_PACKET_BYTES, keys: CORE_KEYS })
  if (loaded.kind === 'missing') return loaded
  return { kind: 'loaded', open: (outputs, mtu) => new ArenaDataPlane(loaded.aead, outputs, { mtu }) }
}

/** Longest datagram that is taken. */
const MAX_DATAGRAM = 65_535

/** The filling of the {@link DataPlane} seat over an arena with WebAssembly. */
export class ArenaDataPlane implements DataPlane, PlaneCoreOutputs {
  readonly #outputs: DataPlaneOutputs
  readonly #core: PlaneCore
  readonly #bytes: Uint8Array
  #said: (() => void)[] = []
  #now = 0

  /** @param wasm - Its arena's packet area must hold `CORE_PACKET_BYTES`. */
  constructor(wasm: WasmAead, outputs: DataPlaneOutputs, options: ArenaDataPlaneOptions = {}) {
    const { mtu = DEFAULT_MTU, backend } = options
    this.#outputs = outputs
    this.#bytes = wasm.arena.bytes
    this.#core = new PlaneCore(wasm, this, { mtu, coalesce: false, ...(backend ? { backend } : {}) })
  }

  setRoutes(peers: readonly PeerRoutes[]): void {
    this.#run(() => this.#core.setRoutes(peers))
  }

  setSession(peer: PeerId, session: SessionKeys, now: number): void {
    this.#run(() => this.#core.setSession(peer, session, now), now)
  }

  endSessions(peer: PeerId): void {
    this.#run(() => this.#core.endSessions(peer))
  }

  dropStaged(peer: PeerId): void {
    this.#core.dropStaged(peer)
  }

  setPriorityPacket(peer: PeerId, packet: Uint8Array | undefined): void {
    this.#core.setPriorityPacket(peer, packet)
  }

  sendKeepalive(peer: PeerId, now: number): void {
    this.#run(() => this.#core.sendKeepalive(peer, now), now)
  }

  fromOverlay(batch: PacketBatch, now: number): void {
    this.#run(() => {
      for (let i = 0; i < batch.count; i += 1) this.#core.takePacket(packetOf(batch, i), now)
      this.#core.flush()
    }, now)
  }

  fromUnderlay(batch: DatagramBatch, now: number): void {
    this.#run(() => {
      for (let i = 0; i < batch.count; i += 1)
        this.#takeDatagram(packetOf(batch, i), batch.sources[i] ?? -1, now)
      this.#core.flush()
    }, now)
  }

  counters(): DataPlaneCounters {
    const { sealed, opened, drops } = this.#core.counters
    return { sealed, opened, drops: { ...drops } }
  }

  peerCounters(id: PeerId): PeerCounters | undefined {
    const peer = this.#core.peer(id)
    if (peer === undefined) return undefined
    const { sentBytes, sentPackets, receivedBytes, receivedPackets } = peer
    return { sentBytes, sentPackets, receivedBytes, receivedPackets }
  }

  // What the core says, written down.

  toOverlay({ count, offsets, lengths, peers }: Coalescer): void {
    const batch = new PacketBuffer(count, count * 16 + this.#sum(count, lengths))
    for (let i = 0; i < count; i += 1) {
      const at = (offsets[i * MAX_PIECES] ?? 0) + VIRTIO_LENGTH
      const length = (lengths[i * MAX_PIECES] ?? 0) - VIRTIO_LENGTH
      batch.push(this.#bytes.subarray(at, at + length), peers[i] ?? -1)
    }
    this.#said.push(() => this.#outputs.toOverlay(batch))
  }

  toUnderlay(trains: Trains): void {
    for (let train = 0; train < trains.count; train += 1) {
      const peer = trains.peers[train] ?? -1
      const batch = this.#unhitch(trains, train)
      this.#said.push(() => this.#outputs.toUnderlay(peer, batch))
    }
  }

  onPacket(): void {
    // Nothing judges here.
  }

  onDatagram(datagram: Uint8Array, source: number): void {
    if (messageType(datagram) === undefined) return this.#core.counters.drop('not-wireguard')
    const batch = new PacketBuffer(1, datagram.length + 16)
    batch.push(datagram, -1, source)
    const now = this.#now
    this.#said.push(() => this.#outputs.onDatagrams(batch, now))
  }

  onActivity({ id }: PlanePeer, activity: number): void {
    const now = this.#now
    this.#said.push(() => this.#outputs.onActivity(id, activity, now))
  }

  onSource(peer: PeerId, source: number): void {
    this.#said.push(() => this.#outputs.onSource(peer, source))
  }

  onSessionEnd(localIndex: number): void {
    this.#said.push(() => this.#outputs.onSessionEnd(localIndex))
  }

  #takeDatagram(datagram: Uint8Array, source: number, now: number): void {
    const type = messageType(datagram)
    if (type !== MESSAGE_TRANSPORT) return this.onDatagram(datagram, source)
    if (datagram.length > MAX_DATAGRAM) return this.#core.counters.drop('not-wireguard')
    this.#bytes.set(datagram, this.#core.underlayAt)
    this.#core.takeUnderlay(datagram.length, datagram.length, source, now)
  }

  #unhitch(trains: Trains, train: number): PacketBatch {
    const bytes = trains.bytes[train] ?? 0
    const count = trains.datagrams[train] ?? 0
    const segment = trains.segments[train] ?? 0
    const batch = new PacketBuffer(count, bytes + count * 16)
    const from = trains.offsets[train] ?? 0
    for (let at = 0; at < bytes; at += segment) {
      batch.push(this.#bytes.subarray(from + at, from + Math.min(at + segment, bytes)))
    }
    return batch
  }

  #sum(count: number, lengths: Int32Array): number {
    let sum = 0
    for (let i = 0; i < count; i += 1) sum += lengths[i * MAX_PIECES] ?? 0
    return sum
  }

  #run(input: () => void, now: number = this.#now): void {
    this.#now = now
    input()
    const said = this.#said
    this.#said = []
    for (const say of said) say()
  }
}
