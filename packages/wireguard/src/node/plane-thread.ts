// The packet thread's work: carries bytes between the TUN, the sockets and the core, and sleeps when there are none. All
// its calls are over one arena; what it cannot do itself goes into the report.
import { EAGAIN, EBADF, EINTR, EINVAL, EIO, EMSGSIZE, POLLIN } from '@mesh/linux'
import { Arena, type LinuxCalls, linuxCalls } from '@mesh/linux/node'
import type { Endpoint } from '@mesh/wire/ip'
import { type Coalescer, MAX_PIECES } from '../linux/coalescer.ts'
import type { PacketJudge } from '../linux/packet-judge.ts'
import { PlaneCore } from '../linux/plane-core.ts'
import type { PlaneCoreOutputs } from '../linux/plane-outputs.ts'
import type { Trains } from '../linux/trains.ts'
import { MESSAGE_TRANSPORT, messageType } from '@mesh/wire/wireguard'
import { VIRTIO_LENGTH } from '../linux/virtio-header.ts'
import type { PeerRoutes } from '../data-plane.ts'
import type { PeerId } from '../packet-batch.ts'
import type { PlanePeer } from '../plane-peer.ts'
import type { WasmAead } from '../wasm/index.ts'
import { sameWay, type UnderlayEndpoint } from '../underlay-endpoint.ts'
import { type FlowListener, FlowReader, FlowWriter } from './flow-ring.ts'
import { MESSAGE_IO_BYTES, MessageIo } from './message-io.ts'
import { type ChosenAead, OPENSSL_SCRATCH } from './openssl-aead.ts'
import {
  FOREIGN_SOURCE,
  openerOf,
  type PlaneCommand,
  type PlaneNews,
  type PlaneSocketNumbers,
  type PlaneStart,
} from './plane-messages.ts'
import { encodePacketInfo, mayBlameLocal } from './packet-info.ts'
import { ReportWriter } from './report-writer.ts'
import { encodeSocketAddress } from './socket-address.ts'
import { SourceNames } from './source-names.ts'

/** Places in the owner's area of the arena. */
const SENDING = OPENSSL_SCRATCH
const RECEIVING = SENDING + MESSAGE_IO_BYTES
const POLLFDS = RECEIVING + MESSAGE_IO_BYTES
const WORD = POLLFDS + 64
const IOVECS = WORD + 64
/** Bytes of the owner's area that the thread needs. */
export const THREAD_SCRATCH = IOVECS + MAX_PIECES * 16

/** The largest datagram, and the largest super-packet with its header: one byte less would cut it off. */
const MAX_RECEIVE = 65_535
/** The longest datagram that is for the control thread: handshakes, disco and STUN are shorter by far. */
const MAX_CONTROL = 2_048
const MAX_READ = VIRTIO_LENGTH + 65_535
/** Reads of the TUN in a round. */
const MAX_READS = 256
/** Packets in a round from which on a helper takes what the host sends; and how long it is quiet until it does no more. */
const BUSY = 64
const QUIET = 2

interface Path {
  readonly endpoint: UnderlayEndpoint
  /** The source it was last heard from; -1 for a path that the control thread has set. */
  source: number
  readonly isV4: boolean
  readonly name: Uint8Array
  /** The control message that says which address of ours it goes out from. */
  from: Uint8Array | undefined
}

/** One thread's TUN, sockets and core. */
export class PlaneThread implements PlaneCoreOutputs {
  readonly #calls: LinuxCalls = linuxCalls()
  readonly #start: PlaneStart
  readonly #arena: Arena
  readonly #view: DataView
  readonly #extra: number
  readonly #core: PlaneCore
  readonly #sending: MessageIo
  readonly #receiving: MessageIo
  readonly #report: ReportWriter
  readonly #flowWriter: FlowWriter | undefined
  readonly #flowReaders: readonly FlowReader[]
  readonly #showFlow: FlowListener = (bytes, at, length) => {
    this.#core.judge.fromOverlay(bytes, at, length)
  }
  readonly #paths = new Map<PeerId, Path>()
  readonly #post: (news: PlaneNews) => void
  readonly #sources = new SourceNames()
  #tun: number
  #sockets: PlaneSocketNumbers
  #segments: boolean
  readonly #turn: Int32Array
  readonly #ownTurn: number
  #hasTurn: boolean
  #now = 0
  #stopped = false

  constructor(start: PlaneStart, wasm: WasmAead, aead: ChosenAead, post: (news: PlaneNews) => void) {
    this.#start = start
    this.#post = post
    this.#tun = start.tun
    this.#sockets = start.sockets
    this.#segments = start.sockets.segments
    this.#arena = new Arena(wasm.arena.memory)
    this.#view = new DataView(wasm.arena.memory.buffer)
    this.#extra = wasm.arena.extra.byteOffset
    const { mtu, wakeUp, takes, leads, flows } = start
    this.#core = new PlaneCore(wasm, this, { mtu, coalesce: true, backend: aead.backend, leads })
    this.#turn = new Int32Array(start.turn.word)
    this.#ownTurn = takes.overlay === 'when-busy' ? 1 : 0
    this.#hasTurn = this.#isMyTurn()
    this.#flowWriter = flows.writes && new FlowWriter(flows.writes)
    this.#flowReaders = flows.reads.map((memory) => new FlowReader(memory))
    this.#sending = new MessageIo(this.#calls, this.#arena, this.#extra + SENDING, wakeUp)
    this.#receiving = new MessageIo(this.#calls, this.#arena, this.#extra + RECEIVING, wakeUp)
    this.#report = new ReportWriter(post, new Int32Array(start.shared), this.#core.counters)
    this.#setPollFds()
  }

  /** Whether it was told to stop. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** Sets who judges packets. */
  setJudge(judge: PacketJudge): void {
    this.#core.judge = judge
  }

  /**
   * Does a round of what there is; `false` when there was nothing.
   *
   * @param hear - Has everything performed that the control thread has said since the round began.
   */
  step(now: number, hear: () => void): boolean {
    this.#now = now
    const { underlay } = this.#start.takes
    this.#lookWhoseTurn()
    const sent = this.#hasTurn && this.#fromOverlay()
    // Looked up one after the other: in between there may be other sockets.
    const received4 = underlay && this.#fromUnderlay(this.#sockets.v4, hear)
    const received6 = underlay && this.#fromUnderlay(this.#sockets.v6, hear)
    this.#report.flush(now)
    return sent || received4 || received6
  }

  /** Wipes the keys: the thread ends, however it does. */
  close(): void {
    this.#core.close()
  }

  /** Sleeps until there is something to do. */
  sleep(now: number): void {
    const helps = this.#hasTurn && this.#ownTurn === 1
    const patience = Math.min(this.#report.timeout(now), helps ? QUIET : Infinity)
    const timeout = patience === Infinity ? -1 : Math.max(0, Math.ceil(patience))
    const ready = this.#calls.poll(this.#arena, this.#extra + POLLFDS, 4, timeout)
    if (ready === 0) {
      if (helps && timeout >= QUIET) this.#passTurn()
      return this.#report.flush(now + timeout)
    }
    const woken = this.#view.getInt16(this.#extra + POLLFDS + 3 * 8 + 6, true) !== 0
    if (woken) this.#calls.read(this.#start.wakeUp, this.#arena, this.#extra + WORD, 8)
  }

  /** Does what the control thread says. */
  perform(command: PlaneCommand, now: number): void {
    this.#now = now
    const core = this.#core
    switch (command.kind) {
      case 'routes':
        return this.#setRoutes(command.peers)
      case 'session':
        return this.#setSession(command, now)
      case 'end-sessions':
        return core.endSessions(command.peer)
      case 'confirm':
        return core.confirm(command.peer, command.localIndex, now)
      case 'drop-staged':
        return core.dropStaged(command.peer)
      case 'priority-packet':
        return core.setPriorityPacket(command.peer, command.packet)
      case 'keepalive':
        return core.sendKeepalive(command.peer, now)
      case 'path':
        return this.#setPath(command.peer, command.endpoint)
      case 'packets':
        for (const packet of command.packets) core.takePacket(packet, now)
        return core.flush()
      case 'datagrams':
        return this.#openForeign(command.datagrams, command.sources, now)
      case 'to-host':
        for (const packet of command.packets) this.#writeToHost(packet)
        return
      case 'sockets':
        return this.#setSockets(command.sockets)
      case 'judge':
        return core.judge.handleMessage?.(command.message)
      case 'stop':
        this.#stopped = true
    }
  }

  // What the core says.

  toOverlay({ count, pieces, offsets, lengths }: Coalescer): void {
    const iovecs = this.#extra + IOVECS
    for (let out = 0; out < count; out += 1) {
      const number = pieces[out] ?? 0
      for (let piece = 0; piece < number; piece += 1) {
        const entry = out * MAX_PIECES + piece
        this.#arena.setIovec(iovecs + piece * 16, offsets[entry] ?? 0, lengths[entry] ?? 0)
      }
      const written = this.#calls.writev(this.#tun, this.#arena, iovecs, number)
      if (written < 0) this.#report.hostDrops += 1
    }
  }

  toUnderlay(trains: Trains): void {
    for (let train = 0; train < trains.count; train += 1) {
      const path = this.#paths.get(trains.peers[train] ?? -1)
      if (path === undefined) this.#handUp(trains, train)
      else this.#send(path, trains, train)
    }
  }

  onPacket(packet: Uint8Array, peer: PeerId): void {
    this.#report.packet(packet, peer)
  }

  /**
   * What the control thread cannot want is dropped here: in a flood each copy of junk would be memory to clean up after. What
   * another thread opens goes by it, however long.
   */
  onDatagram(datagram: Uint8Array, source: number): void {
    const type = messageType(datagram)
    const forControl = datagram.length <= MAX_CONTROL && (type !== undefined || !this.#start.roams)
    if (!forControl && type !== MESSAGE_TRANSPORT) return this.#core.counters.drop('not-wireguard')
    this.#report.datagram(datagram, this.#sourceOf(source))
  }

  onActivity(peer: PlanePeer, activity: number): void {
    this.#report.activity(peer, activity, this.#now)
  }

  onSource(peer: PeerId, source: number): void {
    const from = this.#sourceOf(source)
    if (this.#start.roams && typeof from === 'object') this.#roam(peer, source)
    this.#report.source(peer, from, this.#now)
  }

  onFlow(bytes: Uint8Array, at: number, length: number): void {
    this.#flowWriter?.note(bytes, at, length, this.#now)
  }

  onEstablished(peer: PeerId, localIndex: number): void {
    this.#report.confirmed(peer, localIndex)
  }

  /** A thread that does not open this session hands its datagrams up, and they come to the one that does. */
  isForeign(localIndex: number): boolean {
    const { openers, opener } = this.#start
    return openers > 1 && openerOf(localIndex, openers) !== opener
  }

  onSessionEnd(localIndex: number): void {
    this.#report.ended(localIndex)
  }

  // Turns.

  #isMyTurn(): boolean {
    return this.#start.takes.overlay === 'always' || Atomics.load(this.#turn, 0) === this.#ownTurn
  }

  #lookWhoseTurn(): void {
    if (this.#isMyTurn() === this.#hasTurn) return
    this.#hasTurn = !this.#hasTurn
    this.#setPollFds()
  }

  /** The other one goes on with the packets of the host; all that were taken here have been sent. */
  #passTurn(): void {
    Atomics.store(this.#turn, 0, 1 - this.#ownTurn)
    this.#lookWhoseTurn()
    this.#arena.bytes.fill(0, this.#extra + WORD, this.#extra + WORD + 8)
    this.#arena.bytes[this.#extra + WORD] = 1
    this.#calls.write(this.#start.turn.wakes, this.#arena, this.#extra + WORD, 8)
  }

  // Out.

  #fromOverlay(): boolean {
    const core = this.#core
    if (this.#tun < 0) return false
    let any = false
    // Bounded, too, where nothing is laid: a host that sends faster than its packets are refused keeps nobody else waiting.
    for (let reads = 0; reads < MAX_READS && core.roomy; reads += 1) {
      const length = this.#calls.read(this.#tun, this.#arena, core.overlayAt, MAX_READ)
      if (length <= 0) {
        if (length !== -EAGAIN && length !== -EINTR) this.#loseTun(length)
        break
      }
      any = true
      if (length > VIRTIO_LENGTH) core.takeOverlay(length, this.#now)
    }
    if (any) {
      const busy = core.laid >= BUSY
      core.flush()
      if (busy && this.#start.takes.overlay === 'when-quiet') this.#passTurn()
    }
    return any
  }

  /** The interface was deleted: reading on would spin. One that is merely down says EIO only when written to. */
  #loseTun(result: number): void {
    this.#tun = -1
    this.#setPollFds()
    this.#post({ kind: 'tun-lost', result: result === 0 ? -EIO : result })
  }

  #send(path: Path, trains: Trains, train: number): void {
    const at = trains.offsets[train] ?? 0
    const bytes = trains.bytes[train] ?? 0
    const datagrams = trains.datagrams[train] ?? 0
    const segment = trains.segments[train] ?? 0
    if (datagrams > 1 && this.#segments) {
      const result = this.#sendTo(path, at, bytes, segment)
      if (result >= 0) return this.#countSent(trains, train, datagrams, bytes)
      // The card or the kernel cannot: one by one they may go, and too long ones be cut up on the way.
      if (result === -EIO) this.#loseSegments()
      else if (result !== -EINVAL && result !== -EMSGSIZE) return this.#failSend(path, result, datagrams)
    }
    for (let from = 0; from < bytes; from += segment) {
      const length = Math.min(segment, bytes - from)
      const result = this.#sendTo(path, at + from, length, 0)
      if (result < 0) this.#failSend(path, result, 1)
      else this.#countSent(trains, train, 1, length)
    }
  }

  #sendTo(path: Path, offset: number, length: number, segment: number): number {
    const fd = path.isV4 ? this.#sockets.v4 : this.#sockets.v6
    const sent = this.#sending.send(fd, path.name, offset, length, segment, path.from)
    if (path.from === undefined || !mayBlameLocal(sent)) return sent
    path.from = undefined
    return this.#sending.send(fd, path.name, offset, length, segment, undefined)
  }

  #loseSegments(): void {
    this.#segments = false
    this.#post({ kind: 'no-segments' })
  }

  #countSent(trains: Trains, train: number, datagrams: number, bytes: number): void {
    const peer = this.#core.peer(trains.peers[train] ?? -1)
    if (peer === undefined) return
    peer.direct.sentPackets += datagrams
    peer.direct.sentBytes += bytes
  }

  /** Without a socket there is nothing to say about the way there: one is being opened. */
  #failSend({ endpoint }: Path, result: number, datagrams: number): void {
    if (result === -EBADF) this.#report.sendErrors += datagrams
    else this.#report.trouble(result, endpoint, datagrams, this.#now)
  }

  #handUp(trains: Trains, train: number): void {
    const at = trains.offsets[train] ?? 0
    const bytes = trains.bytes[train] ?? 0
    const segment = trains.segments[train] ?? 0
    for (let from = 0; from < bytes; from += segment) {
      const datagram = this.#arena.bytes.subarray(at + from, at + Math.min(from + segment, bytes))
      this.#report.sealed(datagram, trains.peers[train] ?? -1)
    }
  }

  // In.

  #fromUnderlay(fd: number, hear: () => void): boolean {
    const core = this.#core
    if (fd < 0) return false
    const length = this.#receiving.receive(fd, core.underlayAt, MAX_RECEIVE)
    if (length === -EAGAIN) return false
    // Anything else that fails is an error that a datagram sent before came back with.
    if (length > 0) {
      // A session is posted before its handshake is answered: what comes with it must not be read before it is known.
      hear()
      for (const flows of this.#flowReaders) flows.drain(this.#showFlow)
      const { segment, nameAt, nameLength, localAt, localLength } = this.#receiving
      const source = this.#sources.numberAt(this.#arena.bytes, nameAt, nameLength, localAt, localLength)
      core.takeUnderlay(length, segment, source, this.#now)
      core.flush()
    }
    return true
  }

  #sourceOf(source: number): Endpoint | number {
    if (source >= FOREIGN_SOURCE) return source - FOREIGN_SOURCE
    return this.#sources.endpointOf(source) ?? -1
  }

  /** They are laid aside: when this is heard during a round, datagrams lie in their own place and were not opened yet. */
  #openForeign(datagrams: readonly Uint8Array[], sources: readonly (Endpoint | number)[], now: number): void {
    const core = this.#core
    for (const flows of this.#flowReaders) flows.drain(this.#showFlow)
    datagrams.forEach((datagram, index) => {
      if (datagram.length > MAX_RECEIVE) return
      const source = sources[index] ?? -1
      core.takesDirect = typeof source === 'object'
      this.#arena.bytes.set(datagram, core.spareAt)
      core.takeUnderlay(datagram.length, 0, this.#numberOf(source), now, core.spareAt)
    })
    core.takesDirect = true
    core.flush()
  }

  #numberOf(source: Endpoint | number): number {
    if (typeof source === 'object') return this.#sources.numberOf(source)
    return source < 0 ? -1 : FOREIGN_SOURCE + source
  }

  #writeToHost(packet: Uint8Array): void {
    const at = this.#core.spareAt
    if (packet.length > MAX_RECEIVE) return
    this.#arena.bytes.fill(0, at, at + VIRTIO_LENGTH)
    this.#arena.bytes.set(packet, at + VIRTIO_LENGTH)
    const written = this.#calls.write(this.#tun, this.#arena, at, VIRTIO_LENGTH + packet.length)
    if (written < 0) this.#report.hostDrops += 1
  }

  // Settings.

  #setRoutes(peers: readonly PeerRoutes[]): void {
    const kept = new Set(peers.map(({ peer }) => peer))
    for (const peer of this.#paths.keys()) if (!kept.has(peer)) this.#paths.delete(peer)
    this.#report.keepPeers(kept)
    this.#core.setRoutes(peers)
  }

  #setSession(command: Extract<PlaneCommand, { kind: 'session' }>, now: number): void {
    const keys = new Uint8Array(command.keys)
    const [sendKey, receiveKey] = [keys.subarray(0, 32), keys.subarray(32, 64)]
    const shared = command.shared && new Int32Array(command.shared)
    this.#core.setSession(command.peer, { ...command, sendKey, receiveKey }, now, shared)
    keys.fill(0)
  }

  #roam(peer: PeerId, source: number): void {
    const path = this.#paths.get(peer)
    if (path?.source === source) return
    const endpoint = this.#sources.endpointOf(source)
    if (endpoint === undefined) return
    if (!sameWay(path?.endpoint, endpoint)) this.#setPath(peer, endpoint, source)
    else if (path !== undefined) path.source = source
  }

  #setPath(peer: PeerId, endpoint: UnderlayEndpoint | undefined, source = -1): void {
    if (endpoint === undefined) {
      this.#paths.delete(peer)
      return
    }
    const { address, local } = endpoint
    this.#paths.set(peer, {
      endpoint,
      source,
      isV4: address.length === 4,
      name: encodeSocketAddress(endpoint),
      from: local === undefined ? undefined : encodePacketInfo(local),
    })
  }

  #setSockets(sockets: PlaneSocketNumbers): void {
    this.#sockets = sockets
    this.#segments = sockets.segments
    this.#setPollFds()
    this.#post({ kind: 'moved' })
  }

  #setPollFds(): void {
    const { v4, v6 } = this.#sockets
    const { underlay } = this.#start.takes
    const waitsFor = [
      this.#hasTurn ? this.#tun : -1,
      underlay ? v4 : -1,
      underlay ? v6 : -1,
      this.#start.wakeUp,
    ]
    waitsFor.forEach((fd, index) => {
      const at = this.#extra + POLLFDS + index * 8
      this.#view.setInt32(at, fd, true)
      this.#view.setInt16(at + 4, POLLIN, true)
      this.#view.setInt16(at + 6, 0, true)
    })
  }
}
