// The way out: packets for a peer are laid behind one another with room for their headers, sealed a batch at a time, and
// handed out as trains of datagrams.
import {
  MESSAGE_TRANSPORT,
  TRANSPORT_COUNTER,
  TRANSPORT_HEADER_LENGTH,
  TRANSPORT_OVERHEAD,
} from '@mesh/wire/wireguard'
import { ACTIVITY } from '../data-plane.ts'
import { paddedLength } from '../padding.ts'
import type { PlaneCounters } from '../plane-counters.ts'
import type { PlanePeer } from '../plane-peer.ts'
import { isBeyondLimit, isNearLimit } from '../session.ts'
import type { AeadBackend, PacketTable, WasmAead } from '../wasm/index.ts'
import type { ArenaSession } from './arena-session.ts'
import type { PeerActivity } from './peer-activity.ts'
import type { PlaneCoreOutputs } from './plane-outputs.ts'
import type { SegmentSink, Segmenter } from './segmenter.ts'
import { Trains } from './trains.ts'

const NOTHING = new Uint8Array(0)
const RECEIVER = 4
/** The longest text that a UDP datagram of IPv4 has room for. */
export const MAX_TEXT = 65_507 - TRANSPORT_OVERHEAD

/** What a {@link Sealer} works with. */
export interface SealerParts {
  readonly wasm: WasmAead
  readonly backend: AeadBackend
  readonly outputs: PlaneCoreOutputs
  readonly counters: PlaneCounters
  readonly activity: PeerActivity
  /** The overlay's MTU, beyond which no packet is padded. */
  readonly mtu: number
  /** Bytes of the packet area, from its start on, that trains may have. */
  readonly room: number
}

/** Lays and seals. First {@link aim}, then packets, then {@link seal}. */
export class Sealer {
  readonly #outputs: PlaneCoreOutputs
  readonly #counters: PlaneCounters
  readonly #activity: PeerActivity
  readonly #mtu: number
  readonly #backend: AeadBackend
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #table: PacketTable
  readonly #trains: Trains
  #laid = 0
  #to: PlanePeer | undefined
  #session: ArenaSession | undefined
  readonly #sink: SegmentSink = { claim: (length) => this.#lay(length), commit: () => undefined }

  constructor({ wasm, backend, outputs, counters, activity, mtu, room }: SealerParts) {
    const { arena } = wasm
    this.#outputs = outputs
    this.#counters = counters
    this.#activity = activity
    this.#mtu = mtu
    this.#backend = backend
    this.#bytes = arena.bytes
    this.#view = new DataView(arena.bytes.buffer)
    this.#table = arena.table
    this.#trains = new Trains(arena.packets, arena.packets + room, arena.table.capacity)
  }

  /** Packets that were laid and not sealed yet. */
  get laid(): number {
    return this.#laid
  }

  /** Aims at a peer; `false` when it has no session to send with, and then its packets can only be staged. */
  aim(peer: PlanePeer, now: number): boolean {
    const session = peer.current as ArenaSession | undefined
    this.#to = peer
    this.#session = session
    return session?.canSend(now) === true
  }

  /** Keeps a packet (lent) until the peer aimed at has a session. */
  stage(packet: Uint8Array): void {
    const peer = this.#to
    if (peer === undefined) return
    if (!peer.staged.push(packet)) this.#counters.drop('staged-overflow')
    this.#activity.note(peer, ACTIVITY.needSession)
  }

  /** Lays a packet (lent) from elsewhere. */
  layBytes(packet: Uint8Array, now: number): void {
    const at = this.#lay(packet.length)
    const peer = this.#to
    if (at < 0 || peer === undefined) return
    this.#bytes.set(packet, at)
    this.#noteSent(peer, packet.length === 0 ? ACTIVITY.sent : ACTIVITY.sent | ACTIVITY.sentData, now)
  }

  /** Lays what the segmenter read, whole or in pieces. */
  layRead(segmenter: Segmenter, now: number): void {
    const peer = this.#to
    if (peer === undefined) return
    if (segmenter.isSuper) this.#laySuper(peer, segmenter)
    else segmenter.emit(this.#sink)
    this.#noteSent(peer, ACTIVITY.sent | ACTIVITY.sentData, now)
  }

  /** Lays an empty packet. */
  layKeepalive(now: number): void {
    this.layBytes(NOTHING, now)
  }

  /**
   * A session has become good for sending: the priority packet, then all that waited; and `orKeepalive` when nothing did
   * (W7, W8).
   */
  openSession(peer: PlanePeer, session: ArenaSession, orKeepalive: boolean, now: number): void {
    this.#to = peer
    this.#session = session
    if (peer.priorityPacket !== undefined) this.layBytes(peer.priorityPacket, now)
    const staged = peer.staged.take()
    for (const packet of staged) this.layBytes(packet, now)
    if (orKeepalive && staged.length === 0) this.layKeepalive(now)
  }

  /** Nothing leaves unless all of it was sealed: a train is sent whole. */
  seal(): void {
    const laid = this.#laid
    if (laid === 0) return
    this.#laid = 0
    const sealed = this.#backend.sealBatch(this.#table, laid)
    if (sealed === laid) {
      this.#counters.sealed += laid
      this.#outputs.toUnderlay(this.#trains)
    } else {
      this.#counters.drop('no-session', laid)
    }
    this.#trains.clear()
  }

  /** Lays what a super-packet stands for, as far as there are counters for it. */
  #laySuper(peer: PlanePeer, segmenter: Segmenter): void {
    const session = this.#session
    const { pieces, pieceLength, lastLength } = segmenter
    if (session === undefined || isNearLimit(session.counterHigh)) return segmenter.emit(this.#sink)
    session.claim(pieces)
    segmenter.aim(session.remoteIndex, session.sendSlot, this.#mtu, session.counterHigh, session.counterLow)
    session.advance(pieces)
    const last = pieces - 1
    for (let first = 0; first < pieces; ) {
      const length = first < last ? pieceLength : lastLength
      const whole = paddedLength(length, this.#mtu) + TRANSPORT_OVERHEAD
      const count = this.#claimRun(peer, whole, Math.max(1, last - first))
      if (count === 0) return
      segmenter.cut(first, count, this.#trains.at, this.#laid)
      this.#laid += count
      first += count
      peer.sentPackets += count
      peer.sentBytes += count * whole
    }
  }

  /** Makes room for some datagrams of one length; seals what is there first when there is none. */
  #claimRun(peer: PlanePeer, whole: number, wanted: number): number {
    if (this.#laid === this.#table.capacity) this.seal()
    const count = this.#trains.claimRun(peer.id, whole, Math.min(wanted, this.#table.capacity - this.#laid))
    if (count > 0) return count
    this.seal()
    return this.#trains.claimRun(peer.id, whole, Math.min(wanted, this.#table.capacity))
  }

  /** Makes room for one packet to the peer aimed at, its header written; -1 when that cannot be. */
  #lay(length: number): number {
    const peer = this.#to
    const session = this.#session
    if (peer === undefined || session === undefined || length > MAX_TEXT) return -1
    session.claim(1)
    const { counterHigh, counterLow } = session
    if (isBeyondLimit(counterHigh, counterLow)) return -1
    const padded = paddedLength(length, this.#mtu)
    const whole = padded + TRANSPORT_OVERHEAD
    if (this.#laid === this.#table.capacity) this.seal()
    let at = this.#trains.claim(peer.id, whole)
    if (at < 0) {
      this.seal()
      at = this.#trains.claim(peer.id, whole)
      if (at < 0) return -1
    }
    const view = this.#view
    const text = at + TRANSPORT_HEADER_LENGTH
    view.setUint32(at, MESSAGE_TRANSPORT, true)
    view.setUint32(at + RECEIVER, session.remoteIndex, true)
    view.setUint32(at + TRANSPORT_COUNTER, counterLow, true)
    view.setUint32(at + TRANSPORT_COUNTER + 4, counterHigh, true)
    if (padded > length) this.#bytes.fill(0, text + length, text + padded)
    this.#table.set(this.#laid, text, padded, counterHigh, counterLow, session.sendSlot)
    this.#laid += 1
    session.advance()
    peer.sentPackets += 1
    peer.sentBytes += whole
    return text
  }

  #noteSent(peer: PlanePeer, activity: number, now: number): void {
    const rekey = this.#session?.wantsRekeyOnSend(now) === true ? ACTIVITY.rekey : 0
    this.#activity.note(peer, activity | rekey)
  }
}
