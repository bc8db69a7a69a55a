// The data plane over one arena: packets are laid in its memory, sealed or opened a batch at a time, and go out as trains
// of datagrams or as super-packets. It makes no system call and keeps no clock; whoever drives it lays the bytes and
// carries away what comes out. One input, then flush, then the next input.
import type { Prefix } from '@mesh/wire/ip'
import {
  MESSAGE_TRANSPORT,
  TRANSPORT_COUNTER,
  TRANSPORT_HEADER_LENGTH,
  TRANSPORT_OVERHEAD,
} from '@mesh/wire/wireguard'
import { ACTIVITY, type PeerRoutes, type SessionKeys } from '../data-plane.ts'
import type { PeerId } from '../packet-batch.ts'
import { paddedLength } from '../padding.ts'
import { PlaneCounters } from '../plane-counters.ts'
import { PlanePeer } from '../plane-peer.ts'
import { PrefixTable } from '../prefix-table.ts'
import { isBeyondLimit, isNearLimit, type Session } from '../session.ts'
import type { AeadBackend, PacketTable, WasmAead } from '../wasm/index.ts'
import { ArenaSession } from './arena-session.ts'
import { Coalescer } from './coalescer.ts'
import { innerLength } from './inner-length.ts'
import { ACCEPT_ALL, type PacketJudge, UP, ACCEPT } from './packet-judge.ts'
import { type SegmentSink, Segmenter } from './segmenter.ts'
import { Trains } from './trains.ts'

const NOTHING = new Uint8Array(0)
const RECEIVER = 4
/** The longest text that a UDP datagram of IPv4 has room for. */
const MAX_TEXT = 65_507 - TRANSPORT_OVERHEAD
/** Room for a whole packet of the largest size, in cache lines. */
export const PACKET_ROOM = 65_600
const TRAIN_ROOM = 4 * PACKET_ROOM

/** What comes out of a {@link PlaneCore}. Everything is lent until the call returns, and none may call the core. */
export interface PlaneCoreOutputs {
  /** Packets and super-packets for the TUN. */
  toOverlay(packets: Coalescer): void
  /** Trains of sealed datagrams. */
  toUnderlay(trains: Trains): void
  /** A packet that only the control side can handle: from the host (`peer` is -1), or from a peer. */
  onPacket(packet: Uint8Array, peer: PeerId): void
  /** A datagram that is not transport data. */
  onDatagram(datagram: Uint8Array, source: number): void
  /** What happened with a peer, once an input: bits of {@link ACTIVITY}. */
  onActivity(peer: PlanePeer, activity: number): void
  /** Authentic data came from this source, said once an input. */
  onSource(peer: PeerId, source: number): void
  /** A session is gone and its index is free. */
  onSessionEnd(localIndex: number): void
  /** A packet (lent) that the host sends was let through: others that judge may want to know. */
  onFlow?(packet: Uint8Array): void
  /** A session that its peer began is in use now: others that seal must know. */
  onEstablished?(peer: PeerId, localIndex: number): void
  /** Whether another core opens the datagrams with this index: they are handed out like what is not transport data. */
  isForeign?(localIndex: number): boolean
}

/** What a {@link PlaneCore} is made of. */
export interface PlaneCoreOptions {
  /** The overlay's MTU, beyond which no packet is padded. */
  readonly mtu: number
  /** Whether packets of a flow are joined; not for an overlay that takes single packets only. */
  readonly coalesce: boolean
  /** Bulk crypto over the same arena; the WebAssembly itself when left out. */
  readonly backend?: AeadBackend
  /** Whether, of several cores that seal, this is the one that sends what must be sent once. */
  readonly leads?: boolean
}

/** Bytes that the packet area of a core's arena must have. */
export const CORE_PACKET_BYTES = TRAIN_ROOM + 4 * PACKET_ROOM

/** Sessions, routes and packets of one thread. */
export class PlaneCore {
  /** Sums since it began. */
  readonly counters = new PlaneCounters()
  /** Where a packet from the TUN is laid, its virtio header first. */
  readonly overlayAt: number
  /** Where datagrams from the network are laid. */
  readonly underlayAt: number
  /** A room of a packet's size that the core uses for nothing. */
  readonly spareAt: number
  /** Judges packets in both directions. */
  judge: PacketJudge = ACCEPT_ALL
  /** Whether what is taken came straight from the network, and not by way of the control side: it is counted apart. */
  takesDirect = true
  readonly #outputs: PlaneCoreOutputs
  readonly #mtu: number
  readonly #coalesce: boolean
  readonly #leads: boolean
  readonly #wasm: WasmAead
  readonly #backend: AeadBackend
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #peers = new Map<PeerId, PlanePeer>()
  readonly #sessions = new Map<number, ArenaSession>()
  readonly #touched: PlanePeer[] = []
  readonly #segmenter: Segmenter
  readonly #trains: Trains
  readonly #stageAt: number
  #routes = new PrefixTable()
  /** Packets laid in trains and not sealed yet. */
  #laid = 0
  #to: PlanePeer | undefined
  #session: ArenaSession | undefined
  readonly #sealing: SegmentSink = { claim: (length) => this.#lay(length), commit: () => undefined }
  /** Length of the packet that lies aside. */
  #aside = 0
  readonly #staging: SegmentSink = {
    claim: (length) => this.#layAside(length),
    commit: () => this.#stage(this.#bytes.subarray(this.#stageAt, this.#stageAt + this.#aside)),
  }
  readonly #upward: SegmentSink = {
    claim: (length) => this.#layAside(length),
    commit: () =>
      this.#outputs.onPacket(this.#bytes.subarray(this.#stageAt, this.#stageAt + this.#aside), -1),
  }
  // A batch that is being opened.
  readonly #coalescer: Coalescer
  readonly #table: PacketTable
  readonly #opening: (ArenaSession | undefined)[]
  /** Sessions that their peers began and were heard with in this batch. */
  readonly #heard: ArenaSession[] = []

  constructor(wasm: WasmAead, outputs: PlaneCoreOutputs, options: PlaneCoreOptions) {
    const { arena } = wasm
    const { capacity } = arena.table
    this.#outputs = outputs
    this.#mtu = options.mtu
    this.#coalesce = options.coalesce
    this.#leads = options.leads ?? true
    this.#wasm = wasm
    this.#backend = options.backend ?? wasm
    this.#bytes = arena.bytes
    this.#view = new DataView(arena.bytes.buffer)
    this.#segmenter = new Segmenter(wasm)
    this.#trains = new Trains(arena.packets, arena.packets + TRAIN_ROOM, capacity)
    this.overlayAt = arena.packets + TRAIN_ROOM
    this.underlayAt = this.overlayAt + PACKET_ROOM
    this.#stageAt = this.underlayAt + PACKET_ROOM
    this.spareAt = this.#stageAt + PACKET_ROOM
    if (this.spareAt + PACKET_ROOM > arena.bytes.length)
      throw new RangeError('packetBytes: too few for a data plane')
    this.#coalescer = new Coalescer(wasm)
    this.#table = arena.table
    this.#opening = Array.from({ length: capacity }, () => undefined)
  }

  // What the control side says.

  /** Replaces all routes. A peer that is no longer named is forgotten, its keys wiped. */
  setRoutes(peers: readonly PeerRoutes[]): void {
    const routes = new PrefixTable()
    const gone = new Set(this.#peers.keys())
    for (const { peer: id, routes: prefixes, allowedIps, excludedIps } of peers) {
      gone.delete(id)
      this.#peerOf(id, allowedIps, excludedIps)
      for (const prefix of prefixes) routes.insert(prefix, id)
    }
    for (const id of gone) {
      this.endSessions(id)
      this.#peers.delete(id)
    }
    this.#routes = routes
  }

  /** Adds a session: see the seat. `counter` is the word in which cores that seal with the same keys count together. */
  setSession(id: PeerId, keys: SessionKeys, now: number, counter?: Int32Array): void {
    const peer = this.#peers.get(id)
    const session = peer && ArenaSession.open(peer, keys, this.#wasm.arena.keys, counter)
    if (peer === undefined || session === undefined) return this.#outputs.onSessionEnd(keys.localIndex)
    this.#sessions.set(session.localIndex, session)
    this.#discard(keys.initiator ? peer.begin(session) : peer.await(session))
    if (keys.initiator) this.#openSession(peer, session, true, now)
    this.flush()
  }

  /** Another core heard this session, which its peer began: it is the one in use now, unless a newer one is. */
  confirm(id: PeerId, localIndex: number, now: number): void {
    const peer = this.#peers.get(id)
    const session = peer?.next as ArenaSession | undefined
    if (peer === undefined || session?.localIndex !== localIndex) return
    this.#discard(peer.promote())
    this.#openSession(peer, session, false, now)
    this.flush()
  }

  /** Forgets all sessions of a peer and wipes their keys. */
  endSessions(id: PeerId): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) this.#discard(peer.end())
  }

  /** Drops what waits for a session with this peer. */
  dropStaged(id: PeerId): void {
    this.counters.drop('no-session', this.#peers.get(id)?.staged.take().length ?? 0)
  }

  /** Sets the packet that opens every session with this peer, or none. */
  setPriorityPacket(id: PeerId, packet: Uint8Array | undefined): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) peer.priorityPacket = packet && Uint8Array.from(packet)
  }

  /** Sends an empty packet, or says `needSession` where it cannot. */
  sendKeepalive(id: PeerId, now: number): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    if (this.#ready(peer, now)) this.#sealBytes(NOTHING, now)
    else this.#note(peer, ACTIVITY.needSession)
    this.flush()
  }

  /** Returns the peer of this number. */
  peer(id: PeerId): PlanePeer | undefined {
    return this.#peers.get(id)
  }

  // Out.

  /** Takes a packet of the control side's own making: no judge looks at it. Flush when there are no more. */
  takePacket(packet: Uint8Array, now: number): void {
    if (packet.length > MAX_TEXT) return this.counters.drop('not-ip')
    const peer = this.#peerFor(packet, 0, packet.length)
    if (peer === undefined) return
    if (this.#ready(peer, now)) this.#sealBytes(packet, now)
    else this.#stage(packet)
  }

  /** Takes `length` bytes that were laid at {@link overlayAt}: a virtio header and a packet. Flush when there are no more. */
  takeOverlay(length: number, now: number): void {
    const segmenter = this.#segmenter
    if (!segmenter.read(this.overlayAt, length)) return this.counters.drop('not-ip')
    const { at, length: whole } = segmenter
    if (this.judge !== ACCEPT_ALL) {
      const packet = this.#bytes.subarray(at, at + whole)
      const verdict = this.judge.fromOverlay(packet)
      if (verdict === UP) return segmenter.emit(this.#upward)
      if (verdict !== ACCEPT) return
      this.#outputs.onFlow?.(packet)
    }
    const peer = this.#peerFor(this.#bytes, at, whole)
    if (peer === undefined) return
    if (!this.#ready(peer, now)) return segmenter.emit(this.#staging)
    if (segmenter.isSuper) this.#sealSuper(peer)
    else segmenter.emit(this.#sealing)
    this.#noteSent(peer, ACTIVITY.sent | ACTIVITY.sentData, now)
  }

  /** Packets that were taken and not sealed yet. */
  get laid(): number {
    return this.#laid
  }

  /** Whether another packet from the TUN can be taken before a flush without one in between. */
  get roomy(): boolean {
    return this.#laid + 64 <= this.#table.capacity
  }

  /** Seals what was laid, hands it out, and reports. */
  flush(): void {
    this.#seal()
    this.#report()
  }

  #layAside(length: number): number {
    this.#aside = length
    return this.#stageAt
  }

  /** The peer that a destination belongs to; what has none is counted. */
  #peerFor(bytes: Uint8Array, at: number, length: number): PlanePeer | undefined {
    const version = (bytes[at] ?? 0) >> 4
    let id: number
    if (version === 4 && length >= 20) id = this.#routes.lookup(bytes, at + 16, 4)
    else if (version === 6 && length >= 40) id = this.#routes.lookup(bytes, at + 24, 16)
    else {
      this.counters.drop('not-ip')
      return undefined
    }
    const peer = this.#peers.get(id)
    if (peer === undefined) this.counters.drop('no-route')
    this.#to = peer
    return peer
  }

  /** Aims at a peer; `false` when it has no session to send with. */
  #ready(peer: PlanePeer, now: number): boolean {
    const session = peer.current as ArenaSession | undefined
    this.#to = peer
    this.#session = session
    return session?.canSend(now) === true
  }

  #stage(packet: Uint8Array): void {
    const peer = this.#to
    if (peer === undefined) return
    if (!peer.staged.push(packet)) this.counters.drop('staged-overflow')
    this.#note(peer, ACTIVITY.needSession)
  }

  #sealBytes(packet: Uint8Array, now: number): void {
    const at = this.#lay(packet.length)
    const peer = this.#to
    if (at < 0 || peer === undefined) return
    this.#bytes.set(packet, at)
    this.#noteSent(peer, packet.length === 0 ? ACTIVITY.sent : ACTIVITY.sent | ACTIVITY.sentData, now)
  }

  /** Lays what a super-packet stands for, as far as there are counters for it. */
  #sealSuper(peer: PlanePeer): void {
    const session = this.#session
    const segmenter = this.#segmenter
    const { pieces, pieceLength, lastLength } = segmenter
    if (session === undefined || isNearLimit(session.counterHigh)) return segmenter.emit(this.#sealing)
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
    if (this.#laid === this.#table.capacity) this.#seal()
    const count = this.#trains.claimRun(peer.id, whole, Math.min(wanted, this.#table.capacity - this.#laid))
    if (count > 0) return count
    this.#seal()
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
    if (this.#laid === this.#table.capacity) this.#seal()
    let at = this.#trains.claim(peer.id, whole)
    if (at < 0) {
      this.#seal()
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

  /** Nothing leaves unless all of it was sealed: a train is sent whole. */
  #seal(): void {
    const laid = this.#laid
    if (laid === 0) return
    this.#laid = 0
    const sealed = this.#backend.sealBatch(this.#table, laid)
    if (sealed === laid) {
      this.counters.sealed += laid
      this.#outputs.toUnderlay(this.#trains)
    } else {
      this.counters.drop('no-session', laid)
    }
    this.#trains.clear()
  }

  /** A session has become good for sending: the priority packet, then all that waited, or else a keepalive (W7, W8). */
  #openSession(peer: PlanePeer, session: ArenaSession, begun: boolean, now: number): void {
    this.#to = peer
    this.#session = session
    if (peer.priorityPacket !== undefined) this.#sealBytes(peer.priorityPacket, now)
    const staged = peer.staged.take()
    for (const packet of staged) this.#sealBytes(packet, now)
    if (begun && this.#leads && staged.length === 0) this.#sealBytes(NOTHING, now)
  }

  // In.

  /**
   * Takes what was laid at {@link underlayAt}: `length` bytes from one source, one datagram or several of `segment` bytes,
   * the last maybe shorter. Flush when there are no more.
   */
  takeUnderlay(length: number, segment: number, source: number, now: number): void {
    this.#seal()
    let count = 0
    const end = this.underlayAt + length
    const step = segment > 0 ? segment : length
    for (let at = this.underlayAt; at < end; at += step) {
      if (count === this.#table.capacity) {
        this.#openBatch(count, source, now)
        count = 0
      }
      if (this.#readHeader(at, Math.min(step, end - at), count, source, now)) count += 1
    }
    if (count > 0) this.#openBatch(count, source, now)
    this.#deliver()
  }

  /** Puts a datagram of a session in the table, as entry `index`; `false` when it is none. */
  #readHeader(at: number, length: number, index: number, source: number, now: number): boolean {
    const view = this.#view
    if (length < TRANSPORT_OVERHEAD || view.getUint32(at, true) !== MESSAGE_TRANSPORT) {
      this.#outputs.onDatagram(this.#bytes.subarray(at, at + length), source)
      return false
    }
    const localIndex = view.getUint32(at + RECEIVER, true)
    if (this.#outputs.isForeign?.(localIndex) === true) {
      this.#outputs.onDatagram(this.#bytes.subarray(at, at + length), source)
      return false
    }
    const session = this.#sessions.get(localIndex)
    if (session === undefined) return this.#refuse('unknown-index')
    if (session.isExpired(now)) return this.#refuse('expired')
    const low = view.getUint32(at + TRANSPORT_COUNTER, true)
    const high = view.getUint32(at + TRANSPORT_COUNTER + 4, true)
    if (isBeyondLimit(high, low)) return this.#refuse('counter-limit')
    const text = at + TRANSPORT_HEADER_LENGTH
    const sealed = length - TRANSPORT_HEADER_LENGTH
    this.#table.set(index, text, sealed, high, low, session.receiveSlot)
    this.#opening[index] = session
    return true
  }

  #openBatch(count: number, source: number, now: number): void {
    this.#backend.openBatch(this.#table, count)
    for (let from = 0; from < count; ) {
      const session = this.#opening[from]
      let to = from
      while (to < count && this.#opening[to] === session) {
        this.#opening[to] = undefined
        to += 1
      }
      if (session !== undefined) this.#takeOpened(session, from, to, source, now)
      from = to
    }
    // What new sessions let go is laid in the same table.
    for (let session = this.#heard.pop(); session !== undefined; session = this.#heard.pop()) {
      if (session === session.peer.next) this.#establish(session.peer, session, now)
    }
    this.#seal()
  }

  /** Books the authentic packets of a session among entries `from` to `to - 1`, and passes on what is inside. */
  #takeOpened(session: ArenaSession, from: number, to: number, source: number, now: number): void {
    const { peer } = session
    const received = this.#accept(session, from, to)
    if (received === 0) return
    this.#attribute(peer, source)
    if (session === peer.next) this.#heard.push(session)
    if (session.wantsRekeyOnReceive(now)) this.#note(peer, ACTIVITY.rekey)
    for (let entry = from; entry < to; entry += 1) {
      // What joins a packet that was let in is of the same flow, and needs no verdict of its own.
      if (this.#coalesce) entry = this.#coalescer.join(entry, to, peer.id)
      const length = entry < to ? this.#table.result(entry) : 0
      if (length > 0) this.#admit(peer, this.#table.offset(entry), length)
    }
  }

  /** Sorts out what is forged and what was here before; returns how many packets are neither. */
  #accept(session: ArenaSession, from: number, to: number): number {
    const table = this.#table
    const { peer, window } = session
    let packets = 0
    let texts = 0
    for (let entry = from; entry < to; entry += 1) {
      const length = table.result(entry)
      if (length < 0) this.counters.drop('forged')
      else if (window.accept(table.counterHigh(entry), table.counterLow(entry))) {
        packets += 1
        texts += length
      } else {
        this.counters.drop('replayed')
        table.refuse(entry)
      }
    }
    if (packets === 0) return 0
    const bytes = texts + packets * TRANSPORT_OVERHEAD
    this.counters.opened += packets
    peer.receivedPackets += packets
    peer.receivedBytes += bytes
    if (this.takesDirect) {
      peer.direct.receivedPackets += packets
      peer.direct.receivedBytes += bytes
    }
    this.#note(peer, texts === 0 ? ACTIVITY.received : ACTIVITY.received | ACTIVITY.receivedData)
    return packets
  }

  /** Lets in a packet without its padding, if it is one and the peer's to send (W14). */
  #admit(peer: PlanePeer, at: number, length: number): void {
    const whole = innerLength(this.#view, at, length)
    if (whole < 0) return this.counters.drop('bad-inner')
    const isV4 = (this.#bytes[at] ?? 0) >> 4 === 4
    const { allowedIps } = peer
    const owner = isV4
      ? allowedIps.lookup(this.#bytes, at + 12, 4)
      : allowedIps.lookup(this.#bytes, at + 8, 16)
    if (owner < 0) return this.counters.drop('wrong-source')
    const coalescer = this.#coalescer
    if (this.judge !== ACCEPT_ALL && !this.#letIn(at, whole, peer.id)) return
    if (coalescer.full) this.#deliver()
    coalescer.add(at, whole, peer.id)
  }

  #letIn(at: number, length: number, peer: PeerId): boolean {
    const packet = this.#bytes.subarray(at, at + length)
    const verdict = this.judge.toOverlay(packet, peer)
    if (verdict === UP) this.#outputs.onPacket(packet, peer)
    return verdict === ACCEPT
  }

  #deliver(): void {
    const coalescer = this.#coalescer
    if (coalescer.count === 0) return
    coalescer.finish()
    this.#outputs.toOverlay(coalescer)
    coalescer.clear()
  }

  #establish(peer: PlanePeer, session: ArenaSession, now: number): void {
    this.#discard(peer.promote())
    this.#note(peer, ACTIVITY.established)
    this.#outputs.onEstablished?.(peer.id, session.localIndex)
    this.#openSession(peer, session, false, now)
  }

  #attribute(peer: PlanePeer, source: number): void {
    if (source < 0 || source === peer.source) return
    peer.source = source
    this.#outputs.onSource(peer.id, source)
  }

  // Books.

  #refuse(reason: 'unknown-index' | 'expired' | 'counter-limit'): false {
    this.counters.drop(reason)
    return false
  }

  #noteSent(peer: PlanePeer, activity: number, now: number): void {
    this.#note(peer, this.#session?.wantsRekeyOnSend(now) === true ? activity | ACTIVITY.rekey : activity)
  }

  #note(peer: PlanePeer, activity: number): void {
    if (peer.activity === 0) this.#touched.push(peer)
    peer.activity |= activity
  }

  #report(): void {
    for (let peer = this.#touched.pop(); peer !== undefined; peer = this.#touched.pop()) {
      const { activity } = peer
      peer.activity = 0
      peer.source = -1
      this.#outputs.onActivity(peer, activity)
    }
  }

  /** Sealed packets of a session go before its keys do. */
  #discard(sessions: readonly (Session | undefined)[]): void {
    for (const session of sessions) {
      if (session === undefined) continue
      this.#seal()
      session.wipe()
      this.#sessions.delete(session.localIndex)
      this.#outputs.onSessionEnd(session.localIndex)
    }
  }

  #peerOf(id: PeerId, allowedIps: readonly Prefix[], excludedIps: readonly Prefix[] | undefined): void {
    const peer = this.#peers.get(id) ?? new PlanePeer(id)
    peer.setAllowedIps(allowedIps, excludedIps)
    this.#peers.set(id, peer)
  }
}
