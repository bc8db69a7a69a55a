// The data plane over one arena: peers, their sessions and their routes, between a way out (sealer.ts) and a way in
// (opener.ts). It makes no system call and keeps no clock; whoever drives it lays the bytes and carries away what comes
// out. One input, then flush, then the next input.
import type { Prefix } from '@mesh/wire/ip'
import { MAX_PEERS } from '../constants.ts'
import { ACTIVITY, type PeerRoutes, type SessionKeys } from '../data-plane.ts'
import type { PeerId } from '../packet-batch.ts'
import { PlaneCounters } from '../plane-counters.ts'
import { PlanePeer } from '../plane-peer.ts'
import { PrefixTable } from '../prefix-table.ts'
import type { Session } from '../session.ts'
import type { AeadBackend, KeySlots, WasmAead } from '../wasm/index.ts'
import { ArenaSession } from './arena-session.ts'
import { Opener } from './opener.ts'
import { ACCEPT, ACCEPT_ALL, type PacketJudge, UP } from './packet-judge.ts'
import { PeerActivity } from './peer-activity.ts'
import type { PlaneCoreOutputs } from './plane-outputs.ts'
import { MAX_TEXT, Sealer } from './sealer.ts'
import { type SegmentSink, Segmenter } from './segmenter.ts'

/** Room for a whole packet of the largest size, in cache lines. */
export const PACKET_ROOM = 65_600
const TRAIN_ROOM = 4 * PACKET_ROOM

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

/**
 * Keys of a core's arena: two for each of three sessions of as many peers as WireGuard has (data-plane.md 1.5). Memory that no
 * key was put in is reserved and not used.
 */
export const CORE_KEYS = 6 * MAX_PEERS

/** Sessions, routes and packets of one thread. */
export class PlaneCore {
  /** Sums since it began. */
  readonly counters = new PlaneCounters()
  /** Where a packet from the TUN is laid, its virtio header first. */
  readonly overlayAt: number
  /** Where datagrams from the network are laid. */
  readonly underlayAt: number
  /** A room of a packet's size that the core uses for nothing of its own. */
  readonly spareAt: number
  readonly #outputs: PlaneCoreOutputs
  readonly #leads: boolean
  readonly #keys: KeySlots
  readonly #backend: AeadBackend
  readonly #bytes: Uint8Array
  readonly #capacity: number
  readonly #peers = new Map<PeerId, PlanePeer>()
  readonly #sessions = new Map<number, ArenaSession>()
  readonly #activity = new PeerActivity()
  readonly #segmenter: Segmenter
  readonly #sealer: Sealer
  readonly #opener: Opener
  readonly #stageAt: number
  #routes = new PrefixTable()
  /** Length of the packet that lies aside. */
  #aside = 0
  readonly #staging: SegmentSink = {
    claim: (length) => this.#layAside(length),
    commit: () => this.#sealer.stage(this.#bytes.subarray(this.#stageAt, this.#stageAt + this.#aside)),
  }
  readonly #upward: SegmentSink = {
    claim: (length) => this.#layAside(length),
    commit: () =>
      this.#outputs.onPacket(this.#bytes.subarray(this.#stageAt, this.#stageAt + this.#aside), -1),
  }

  constructor(wasm: WasmAead, outputs: PlaneCoreOutputs, options: PlaneCoreOptions) {
    const { arena } = wasm
    const { mtu, coalesce, leads = true, backend = wasm } = options
    this.#outputs = outputs
    this.#leads = leads
    this.#keys = arena.keys
    this.#backend = backend
    this.#bytes = arena.bytes
    this.#capacity = arena.table.capacity
    this.overlayAt = arena.packets + TRAIN_ROOM
    this.underlayAt = this.overlayAt + PACKET_ROOM
    this.#stageAt = this.underlayAt + PACKET_ROOM
    this.spareAt = this.#stageAt + PACKET_ROOM
    if (this.spareAt + PACKET_ROOM > arena.bytes.length)
      throw new RangeError('packetBytes: too few for a data plane')
    this.#segmenter = new Segmenter(wasm)
    const parts = { wasm, backend, outputs, counters: this.counters, activity: this.#activity }
    this.#sealer = new Sealer({ ...parts, mtu, room: TRAIN_ROOM })
    this.#opener = new Opener({
      ...parts,
      coalesce,
      sessions: this.#sessions,
      sealer: this.#sealer,
      establish: (session, now) => this.#establish(session, now),
    })
  }

  /** Who judges packets in both directions. */
  get judge(): PacketJudge {
    return this.#opener.judge
  }

  set judge(judge: PacketJudge) {
    this.#opener.judge = judge
  }

  /** Says whether what is taken came straight from the network, and not by way of the control side: it is counted apart. */
  set takesDirect(direct: boolean) {
    this.#opener.takesDirect = direct
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

  /** Adds a session: see the seat. `shared` are the words that cores which seal with the same keys have together. */
  setSession(id: PeerId, keys: SessionKeys, now: number, shared?: Int32Array): void {
    const peer = this.#peers.get(id)
    const session = peer && ArenaSession.open(peer, keys, this.#keys, shared)
    if (peer === undefined || session === undefined) return this.#outputs.onSessionEnd(keys.localIndex)
    this.#sessions.set(session.localIndex, session)
    this.#discard(keys.initiator ? peer.begin(session) : peer.await(session))
    if (keys.initiator) this.#sealer.openSession(peer, session, this.#leads, now)
    this.flush()
  }

  /** Another core heard this session, which its peer began: it is the one in use now, unless a newer one is. */
  confirm(id: PeerId, localIndex: number, now: number): void {
    const peer = this.#peers.get(id)
    const session = peer?.next as ArenaSession | undefined
    if (peer === undefined || session?.localIndex !== localIndex) return
    this.#begin(peer, session, now)
    this.flush()
  }

  /** Forgets all sessions of a peer and wipes their keys. */
  endSessions(id: PeerId): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) this.#discard(peer.end())
  }

  /** Wipes all keys, whatever it was doing: from now on nothing is sealed or opened. */
  close(): void {
    this.#keys.wipeAll()
    this.#backend.forget?.()
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
    if (this.#aim(peer, now)) this.#sealer.layKeepalive(now)
    else this.#activity.note(peer, ACTIVITY.needSession)
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
    if (this.#aim(peer, now)) this.#sealer.layBytes(packet, now)
    else this.#sealer.stage(packet)
  }

  /** Takes `length` bytes that were laid at {@link overlayAt}: a virtio header and a packet. Flush when there are no more. */
  takeOverlay(length: number, now: number): void {
    const segmenter = this.#segmenter
    if (!segmenter.read(this.overlayAt, length)) return this.counters.drop('not-ip')
    const { at, length: whole } = segmenter
    const { judge } = this.#opener
    if (judge !== ACCEPT_ALL) {
      const verdict = judge.fromOverlay(this.#bytes, at, whole)
      if (verdict === UP) return segmenter.emit(this.#upward)
      if (verdict !== ACCEPT) return
      this.#outputs.onFlow?.(this.#bytes, at, whole)
      judge.leave?.(this.#bytes, at, whole)
    }
    const peer = this.#peerFor(this.#bytes, at, whole)
    if (peer === undefined) return
    if (this.#aim(peer, now)) this.#sealer.layRead(segmenter, now)
    else segmenter.emit(this.#staging)
  }

  /** Packets that were taken and not sealed yet. */
  get laid(): number {
    return this.#sealer.laid
  }

  /** Whether another packet from the TUN can be taken before a flush without one in between. */
  get roomy(): boolean {
    return this.#sealer.laid + 64 <= this.#capacity
  }

  /** Seals what was laid, hands it out, and reports. */
  flush(): void {
    this.#sealer.seal()
    this.#activity.report(this.#outputs)
  }

  /** An answer may be here before the news that its question came with the peer's next session: that one is what it must go by. */
  #aim(peer: PlanePeer, now: number): boolean {
    const next = peer.next as ArenaSession | undefined
    if (next?.heard === true) this.#begin(peer, next, now)
    return this.#sealer.aim(peer, now)
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
    return peer
  }

  // In.

  /**
   * Takes what was laid at {@link underlayAt}, or at {@link spareAt}: `length` bytes from one source, one datagram or several
   * of `segment` bytes, the last maybe shorter. Flush when there are no more.
   */
  takeUnderlay(
    length: number,
    segment: number,
    source: number,
    now: number,
    at: number = this.underlayAt,
  ): void {
    this.#opener.take(at, length, segment, source, now)
  }

  #establish(session: ArenaSession, now: number): void {
    const { peer } = session
    session.noteHeard()
    this.#activity.note(peer, ACTIVITY.established)
    this.#outputs.onEstablished?.(peer.id, session.localIndex)
    this.#begin(peer, session, now)
  }

  /** A session that the peer began is the one in use from now on. */
  #begin(peer: PlanePeer, session: ArenaSession, now: number): void {
    this.#discard(peer.promote())
    this.#sealer.openSession(peer, session, false, now)
  }

  // Books.

  /** Sealed packets of a session go before its keys do. */
  #discard(sessions: readonly (Session | undefined)[]): void {
    for (const session of sessions) {
      if (session === undefined) continue
      this.#sealer.seal()
      session.wipe()
      this.#backend.forget?.()
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
