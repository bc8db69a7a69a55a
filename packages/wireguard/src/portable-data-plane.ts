// The data plane that runs wherever JavaScript does. It seals and opens one packet at a time through the crypto seat,
// into buffers from a small pool that are lent to whoever comes next; so a callback may well call it again.
import { type Crypto, NONCE_LENGTH, nobleCrypto } from '@mesh/noise'
import { ipTotalLength } from '@mesh/wire/ip'
import {
  MESSAGE_TRANSPORT,
  messageType,
  receiverIndex,
  TRANSPORT_COUNTER,
  TRANSPORT_HEADER_LENGTH,
  TRANSPORT_OVERHEAD,
  writeTransportHeader,
} from '@mesh/wire/wireguard'
import { DEFAULT_MTU } from './constants.ts'
import {
  ACTIVITY,
  addActivity,
  type DataPlane,
  type DataPlaneCounters,
  type DataPlaneOutputs,
  type PeerCounters,
  type PeerRoutes,
  type SessionKeys,
} from './data-plane.ts'
import { type DatagramBatch, type PacketBatch, PacketBuffer, type PeerId, packetOf } from './packet-batch.ts'
import { paddedLength } from './padding.ts'
import { PlaneCounters } from './plane-counters.ts'
import { PlanePeer } from './plane-peer.ts'
import { PrefixTable } from './prefix-table.ts'
import { SealedBatches } from './sealed-batches.ts'
import { isBeyondLimit, Session } from './session.ts'

const NOTHING = new Uint8Array(0)
/** The counter's place in a nonce: four zero bytes stand before it. */
const NONCE_COUNTER = 4

/** How a {@link PortableDataPlane} is made. */
export interface PortableDataPlaneOptions {
  /** The primitives; `nobleCrypto` when left out. */
  readonly crypto?: Crypto
  /** The overlay's MTU, beyond which no packet is padded; 1280 when left out. */
  readonly mtu?: number
}

/** The portable filling of the {@link DataPlane} seat. */
export class PortableDataPlane implements DataPlane {
  readonly #outputs: DataPlaneOutputs
  readonly #crypto: Crypto
  readonly #mtu: number
  readonly #peers = new Map<PeerId, PlanePeer>()
  readonly #sessions = new Map<number, Session>()
  readonly #counters = new PlaneCounters()
  readonly #nonce = new Uint8Array(NONCE_LENGTH)
  readonly #touched: PlanePeer[] = []
  readonly #sealedPool: SealedBatches[] = []
  readonly #openedPool: PacketBuffer[] = []
  #routes = new PrefixTable()

  constructor(outputs: DataPlaneOutputs, options: PortableDataPlaneOptions = {}) {
    this.#outputs = outputs
    this.#crypto = options.crypto ?? nobleCrypto
    this.#mtu = options.mtu ?? DEFAULT_MTU
  }

  setRoutes(peers: readonly PeerRoutes[]): void {
    const routes = new PrefixTable()
    const gone = new Set(this.#peers.keys())
    for (const { peer: id, routes: prefixes, allowedIps, excludedIps } of peers) {
      gone.delete(id)
      this.#peerOf(id).setAllowedIps(allowedIps, excludedIps)
      for (const prefix of prefixes) routes.insert(prefix, id)
    }
    for (const id of gone) {
      this.endSessions(id)
      this.#peers.delete(id)
    }
    this.#routes = routes
  }

  setSession(id: PeerId, keys: SessionKeys, now: number): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    const session = new Session(peer, keys)
    this.#sessions.set(session.localIndex, session)
    this.#discard(keys.initiator ? peer.begin(session) : peer.await(session))
    if (keys.initiator) this.#openSession(peer, session, true, now)
    this.#report(now)
  }

  endSessions(id: PeerId): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) this.#discard(peer.end())
  }

  dropStaged(id: PeerId): void {
    const dropped = this.#peers.get(id)?.staged.take().length ?? 0
    this.#counters.drop('no-session', dropped)
  }

  setPriorityPacket(id: PeerId, packet: Uint8Array | undefined): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) peer.priorityPacket = packet && Uint8Array.from(packet)
  }

  sendKeepalive(id: PeerId, now: number): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    const session = peer.current
    if (session?.canSend(now)) this.#sendOne(peer, session, NOTHING, now)
    else this.#note(peer, ACTIVITY.needSession)
    this.#report(now)
  }

  fromOverlay(batch: PacketBatch, now: number): void {
    const out = this.#sealedPool.pop() ?? new SealedBatches(this.#outputs)
    for (let i = 0; i < batch.count; i += 1) this.#sendOrStage(packetOf(batch, i), out, now)
    this.#finish(out)
    this.#report(now)
  }

  fromUnderlay(batch: DatagramBatch, now: number): void {
    const out = this.#openedPool.pop() ?? new PacketBuffer()
    let control: number[] | undefined
    for (let i = 0; i < batch.count; i += 1) {
      const datagram = packetOf(batch, i)
      const type = messageType(datagram)
      if (type === MESSAGE_TRANSPORT) this.#open(datagram, batch.sources[i] ?? -1, out, now)
      else if (type === undefined) this.#counters.drop('not-wireguard')
      else (control ??= []).push(i)
    }
    this.#deliver(out)
    this.#openedPool.push(out)
    if (control !== undefined) this.#outputs.onDatagrams(select(batch, control), now)
    this.#report(now)
  }

  counters(): DataPlaneCounters {
    const { sealed, opened, drops } = this.#counters
    return { sealed, opened, drops: { ...drops } }
  }

  peerCounters(id: PeerId): PeerCounters | undefined {
    const peer = this.#peers.get(id)
    if (peer === undefined) return undefined
    const { sentBytes, sentPackets, receivedBytes, receivedPackets } = peer
    return { sentBytes, sentPackets, receivedBytes, receivedPackets }
  }

  // Out: a packet finds its peer, then its session, or waits for one.

  #sendOrStage(packet: Uint8Array, out: SealedBatches, now: number): void {
    const id = this.#routeOf(packet)
    if (id === undefined) return this.#counters.drop('not-ip')
    const peer = this.#peers.get(id)
    if (peer === undefined) return this.#counters.drop('no-route')
    const session = peer.current
    if (session?.canSend(now)) return this.#seal(peer, session, packet, out, now)
    if (!peer.staged.push(packet)) this.#counters.drop('staged-overflow')
    this.#note(peer, ACTIVITY.needSession)
  }

  /** The peer a packet is for, -1 for nobody's, `undefined` when it is no IP packet. */
  #routeOf(packet: Uint8Array): number | undefined {
    const version = (packet[0] ?? 0) >> 4
    if (version === 4 && packet.length >= 20) return this.#routes.lookup(packet, 16, 4)
    if (version === 6 && packet.length >= 40) return this.#routes.lookup(packet, 24, 16)
    return undefined
  }

  #seal(peer: PlanePeer, session: Session, packet: Uint8Array, out: SealedBatches, now: number): void {
    const padded = paddedLength(packet.length, this.#mtu)
    const offset = out.claim(peer, padded + TRANSPORT_OVERHEAD)
    if (offset < 0) return this.#counters.drop('not-ip')
    // Making room may have handed packets over, and whoever took them may have ended this session: its key is zeros.
    if (session.wiped) {
      out.retract()
      return this.#counters.drop('no-session')
    }
    const { bytes } = out
    const { counterHigh, counterLow } = session
    const start = offset + TRANSPORT_HEADER_LENGTH
    bytes.set(packet, start)
    bytes.fill(0, start + packet.length, start + padded)
    writeTransportHeader(bytes, offset, session.remoteIndex, counterLow, counterHigh)
    this.#setNonce(counterHigh, counterLow)
    const end = offset + padded + TRANSPORT_OVERHEAD
    const plaintext = bytes.subarray(start, start + padded)
    this.#crypto.seal(session.sendKey, this.#nonce, NOTHING, plaintext, bytes.subarray(start, end))
    session.advance()
    this.#counters.sealed += 1
    peer.sentPackets += 1
    peer.sentBytes += end - offset
    this.#note(peer, packet.length === 0 ? ACTIVITY.sent : ACTIVITY.sent | ACTIVITY.sentData)
    if (session.wantsRekeyOnSend(now)) this.#note(peer, ACTIVITY.rekey)
  }

  #sendOne(peer: PlanePeer, session: Session, packet: Uint8Array, now: number): void {
    const out = this.#sealedPool.pop() ?? new SealedBatches(this.#outputs)
    this.#seal(peer, session, packet, out, now)
    this.#finish(out)
  }

  /** A session has become good for sending: the priority packet, then all that waited, or else a keepalive (W7, W8). */
  #openSession(peer: PlanePeer, session: Session, begun: boolean, now: number): void {
    const out = this.#sealedPool.pop() ?? new SealedBatches(this.#outputs)
    if (peer.priorityPacket !== undefined) this.#seal(peer, session, peer.priorityPacket, out, now)
    const staged = peer.staged.take()
    for (const packet of staged) this.#seal(peer, session, packet, out, now)
    if (begun && staged.length === 0) this.#seal(peer, session, NOTHING, out, now)
    this.#finish(out)
  }

  #finish(out: SealedBatches): void {
    out.flush()
    this.#sealedPool.push(out)
  }

  // In: a datagram finds its session, proves itself, and what is inside must be the peer's to send.

  #open(datagram: Uint8Array, source: number, out: PacketBuffer, now: number): void {
    const session = this.#sessions.get(receiverIndex(datagram, MESSAGE_TRANSPORT))
    if (session === undefined) return this.#counters.drop('unknown-index')
    if (session.isExpired(now)) return this.#counters.drop('expired')
    const low = readCounterHalf(datagram, TRANSPORT_COUNTER)
    const high = readCounterHalf(datagram, TRANSPORT_COUNTER + 4)
    if (isBeyondLimit(high, low)) return this.#counters.drop('counter-limit')
    const length = datagram.length - TRANSPORT_OVERHEAD
    const offset = this.#claimOpened(out, length, session.peer.id)
    if (offset < 0) return this.#counters.drop('not-wireguard')
    if (session.wiped) {
      out.retract()
      return this.#counters.drop('unknown-index')
    }
    const plaintext = out.bytes.subarray(offset, offset + length)
    this.#setNonce(high, low)
    const sealed = datagram.subarray(TRANSPORT_HEADER_LENGTH)
    if (this.#crypto.open(session.receiveKey, this.#nonce, NOTHING, sealed, plaintext) === undefined) {
      out.retract()
      return this.#counters.drop('forged')
    }
    if (!session.window.accept(high, low)) {
      out.retract()
      return this.#counters.drop('replayed')
    }
    const kept = this.#takeAuthentic(session, datagram.length, plaintext, source, now)
    if (kept > 0) out.trim(kept)
    else out.retract()
  }

  /** Books an authentic packet, and returns how much of it is for the overlay: 0 for none of it. */
  #takeAuthentic(
    session: Session,
    bytes: number,
    plaintext: Uint8Array,
    source: number,
    now: number,
  ): number {
    const { peer } = session
    this.#counters.opened += 1
    peer.receivedPackets += 1
    peer.receivedBytes += bytes
    const isData = plaintext.length > 0
    this.#note(peer, isData ? ACTIVITY.received | ACTIVITY.receivedData : ACTIVITY.received)
    this.#attribute(peer, source)
    if (session === peer.next) this.#establish(peer, session, now)
    if (session.wantsRekeyOnReceive(now)) this.#note(peer, ACTIVITY.rekey)
    return isData ? this.#admit(peer, plaintext) : 0
  }

  /** The length of the packet inside without its padding, or 0 when it is none, or not this peer's to send (W14). */
  #admit(peer: PlanePeer, plaintext: Uint8Array): number {
    const length = ipTotalLength(plaintext)
    if (length < 0 || length > plaintext.length) {
      this.#counters.drop('bad-inner')
      return 0
    }
    const isV4 = (plaintext[0] ?? 0) >> 4 === 4
    const owner = isV4 ? peer.allowedIps.lookup(plaintext, 12, 4) : peer.allowedIps.lookup(plaintext, 8, 16)
    if (owner >= 0) return length
    this.#counters.drop('wrong-source')
    return 0
  }

  #establish(peer: PlanePeer, session: Session, now: number): void {
    this.#discard(peer.promote())
    this.#note(peer, ACTIVITY.established)
    this.#openSession(peer, session, false, now)
  }

  #attribute(peer: PlanePeer, source: number): void {
    if (source < 0 || source === peer.source) return
    peer.source = source
    this.#outputs.onSource(peer.id, source)
  }

  #claimOpened(out: PacketBuffer, length: number, peer: PeerId): number {
    const offset = out.claim(length, peer)
    if (offset >= 0) return offset
    this.#deliver(out)
    return out.claim(length, peer)
  }

  #deliver(out: PacketBuffer): void {
    if (out.count > 0) this.#outputs.toOverlay(out)
    out.clear()
  }

  // Books.

  #note(peer: PlanePeer, activity: number): void {
    if (peer.activity === 0) this.#touched.push(peer)
    peer.activity = addActivity(peer.activity, activity)
  }

  #report(now: number): void {
    for (let peer = this.#touched.pop(); peer !== undefined; peer = this.#touched.pop()) {
      const { activity } = peer
      peer.activity = 0
      peer.source = -1
      this.#outputs.onActivity(peer.id, activity, now)
    }
  }

  #discard(sessions: readonly (Session | undefined)[]): void {
    for (const session of sessions) {
      if (session === undefined) continue
      session.wipe()
      this.#sessions.delete(session.localIndex)
      this.#outputs.onSessionEnd(session.localIndex)
    }
  }

  #peerOf(id: PeerId): PlanePeer {
    const known = this.#peers.get(id)
    if (known !== undefined) return known
    const peer = new PlanePeer(id)
    this.#peers.set(id, peer)
    return peer
  }

  #setNonce(high: number, low: number): void {
    for (let i = 0; i < 4; i += 1) {
      this.#nonce[NONCE_COUNTER + i] = low >>> (8 * i)
      this.#nonce[NONCE_COUNTER + 4 + i] = high >>> (8 * i)
    }
  }
}

function readCounterHalf(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
  return (low | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)) >>> 0
}

/** Some datagrams of a batch, in the same buffer. */
function select(batch: DatagramBatch, indices: readonly number[]): DatagramBatch {
  return {
    bytes: batch.bytes,
    offsets: Int32Array.from(indices, (i) => batch.offsets[i] ?? 0),
    lengths: Int32Array.from(indices, (i) => batch.lengths[i] ?? 0),
    sources: Int32Array.from(indices, (i) => batch.sources[i] ?? -1),
    count: indices.length,
  }
}
