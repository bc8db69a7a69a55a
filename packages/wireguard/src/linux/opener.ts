// The way in: datagrams are opened in place, a batch at a time; what proves genuine and new is trimmed, held against its
// peer's allowed IPs, judged, and joined with its neighbours for the host.
import {
  MESSAGE_TRANSPORT,
  TRANSPORT_COUNTER,
  TRANSPORT_HEADER_LENGTH,
  TRANSPORT_OVERHEAD,
} from '@mesh/wire/wireguard'
import { ACTIVITY } from '../data-plane.ts'
import type { PeerId } from '../packet-batch.ts'
import type { PlaneCounters } from '../plane-counters.ts'
import type { PlanePeer } from '../plane-peer.ts'
import { isBeyondLimit } from '../session.ts'
import type { AeadBackend, PacketTable, WasmAead } from '../wasm/index.ts'
import type { ArenaSession } from './arena-session.ts'
import { Coalescer } from './coalescer.ts'
import { innerLength } from './inner-length.ts'
import { ACCEPT, ACCEPT_ALL, CHANGED, type PacketJudge, UP, type Verdict } from './packet-judge.ts'
import type { PeerActivity } from './peer-activity.ts'
import type { PlaneCoreOutputs } from './plane-outputs.ts'
import type { Sealer } from './sealer.ts'

const RECEIVER = 4

/** What an {@link Opener} works with. */
export interface OpenerParts {
  readonly wasm: WasmAead
  readonly backend: AeadBackend
  readonly outputs: PlaneCoreOutputs
  readonly counters: PlaneCounters
  readonly activity: PeerActivity
  /** Sessions by their local index. */
  readonly sessions: ReadonlyMap<number, ArenaSession>
  /** Has the same table, which must be empty of its packets before datagrams are laid in it. */
  readonly sealer: Sealer
  /** Whether packets of a flow are joined. */
  readonly coalesce: boolean
  /** Hears that a session which its peer began was heard first: it is in use from now on. */
  readonly establish: (session: ArenaSession, now: number) => void
}

/** Opens and lets in. */
export class Opener {
  /** Judges what comes in. */
  judge: PacketJudge = ACCEPT_ALL
  /** Whether what is taken came straight from the network: it is counted apart. */
  takesDirect = true
  readonly #outputs: PlaneCoreOutputs
  readonly #counters: PlaneCounters
  readonly #activity: PeerActivity
  readonly #sessions: ReadonlyMap<number, ArenaSession>
  readonly #sealer: Sealer
  readonly #coalesce: boolean
  readonly #establish: (session: ArenaSession, now: number) => void
  readonly #backend: AeadBackend
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #table: PacketTable
  readonly #coalescer: Coalescer
  /** Whose each entry of the batch is. */
  readonly #opening: (ArenaSession | undefined)[]
  /** Sessions that their peers began and were heard with in this batch. */
  readonly #heard: ArenaSession[] = []

  constructor(parts: OpenerParts) {
    const { arena } = parts.wasm
    this.#outputs = parts.outputs
    this.#counters = parts.counters
    this.#activity = parts.activity
    this.#sessions = parts.sessions
    this.#sealer = parts.sealer
    this.#coalesce = parts.coalesce
    this.#establish = parts.establish
    this.#backend = parts.backend
    this.#bytes = arena.bytes
    this.#view = new DataView(arena.bytes.buffer)
    this.#table = arena.table
    this.#coalescer = new Coalescer(parts.wasm)
    this.#opening = Array.from({ length: arena.table.capacity }, () => undefined)
  }

  /**
   * Takes what was laid at `from`: `length` bytes from one source, one datagram or several of `segment` bytes,
   * the last maybe shorter. Flush when there are no more.
   */
  take(from: number, length: number, segment: number, source: number, now: number): void {
    this.#sealer.seal()
    let count = 0
    const end = from + length
    const step = segment > 0 ? segment : length
    for (let at = from; at < end; at += step) {
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
      if (session === session.peer.next) this.#establish(session, now)
    }
    this.#sealer.seal()
  }

  /** Books the authentic packets of a session among entries `from` to `to - 1`, and passes on what is inside. */
  #takeOpened(session: ArenaSession, from: number, to: number, source: number, now: number): void {
    const { peer } = session
    const received = this.#accept(session, from, to)
    if (received === 0) return
    this.#attribute(peer, source)
    if (session === peer.next) this.#heard.push(session)
    if (session.wantsRekeyOnReceive(now)) this.#activity.note(peer, ACTIVITY.rekey)
    for (let entry = from; entry < to; entry += 1) {
      // What joins a packet that was let in is of the same flow, and needs no verdict of its own.
      if (this.#coalesce) entry = this.#coalescer.join(entry, to, peer.id)
      const length = entry < to ? this.#table.result(entry) : 0
      if (length > 0) this.#admit(peer, entry, length)
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
      if (length < 0) this.#counters.drop('forged')
      else if (window.accept(table.counterHigh(entry), table.counterLow(entry))) {
        packets += 1
        texts += length
      } else {
        this.#counters.drop('replayed')
        table.refuse(entry)
      }
    }
    if (packets === 0) return 0
    const bytes = texts + packets * TRANSPORT_OVERHEAD
    this.#counters.opened += packets
    peer.receivedPackets += packets
    peer.receivedBytes += bytes
    if (this.takesDirect) {
      peer.direct.receivedPackets += packets
      peer.direct.receivedBytes += bytes
    }
    this.#activity.note(peer, texts === 0 ? ACTIVITY.received : ACTIVITY.received | ACTIVITY.receivedData)
    return packets
  }

  /** Lets in the packet of an entry without its padding, if it is one and the peer's to send (W14). */
  #admit(peer: PlanePeer, entry: number, length: number): void {
    const at = this.#table.offset(entry)
    const whole = innerLength(this.#view, at, length)
    if (whole < 0) return this.#counters.drop('bad-inner')
    const isV4 = (this.#bytes[at] ?? 0) >> 4 === 4
    const { allowedIps } = peer
    const owner = isV4
      ? allowedIps.lookup(this.#bytes, at + 12, 4)
      : allowedIps.lookup(this.#bytes, at + 8, 16)
    if (owner < 0) return this.#counters.drop('wrong-source')
    const coalescer = this.#coalescer
    const verdict = this.judge === ACCEPT_ALL ? ACCEPT : this.#judge(at, whole, peer.id)
    if (verdict !== ACCEPT && verdict !== CHANGED) return
    if (verdict === CHANGED && this.#coalesce && coalescer.join(entry, entry + 1, peer.id) > entry) return
    if (coalescer.full) this.#deliver()
    coalescer.add(at, whole, peer.id)
  }

  #judge(at: number, length: number, peer: PeerId): Verdict | typeof CHANGED {
    const verdict = this.judge.toOverlay(this.#bytes, at, length, peer)
    if (verdict === UP) this.#outputs.onPacket(this.#bytes.subarray(at, at + length), peer)
    return verdict
  }

  #deliver(): void {
    const coalescer = this.#coalescer
    if (coalescer.count === 0) return
    coalescer.finish()
    this.#outputs.toOverlay(coalescer)
    coalescer.clear()
  }

  #attribute(peer: PlanePeer, source: number): void {
    if (source < 0 || source === peer.source) return
    peer.source = source
    this.#outputs.onSource(peer.id, source)
  }

  #refuse(reason: 'unknown-index' | 'expired' | 'counter-limit'): false {
    this.#counters.drop(reason)
    return false
  }
}
