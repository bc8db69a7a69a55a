// The Linux filling of the data plane's seat, as the control thread sees it: the packets are moved by threads of their own,
// which own the TUN and the sockets for as long as they live; here stand the seat's calls, which become messages to them,
// and their reports, which become the seat's callbacks. When one of them dies all are begun anew, and the sessions that
// were lost with it are negotiated again.
import { availableParallelism } from 'node:os'
import { describeErrno, unsupportedReason } from '@mesh/linux/node'
import type { Endpoint } from '@mesh/wire/ip'
import { MESSAGE_TRANSPORT, messageType } from '@mesh/wire/wireguard'
import { DEFAULT_MTU } from '../constants.ts'
import {
  ACTIVITY,
  type DataPlane,
  type DataPlaneCounters,
  type DataPlaneOutputs,
  type PeerCounters,
  type PeerRoutes,
  type SessionKeys,
} from '../data-plane.ts'
import { SHARED_SESSION_BYTES } from '../linux/arena-session.ts'
import { type DatagramBatch, type PacketBatch, PacketBuffer, type PeerId, packetOf } from '../packet-batch.ts'
import { PlaneLane } from './plane-lane.ts'
import {
  openerOf,
  type PlaneCommand,
  type PlaneNews,
  type PlaneReport,
  type PlaneSocketNumbers,
} from './plane-messages.ts'
import { EndpointNumbers } from './endpoint-numbers.ts'
import { FLOW_RING_BYTES } from './flow-ring.ts'
import type { LinuxDataPlaneOptions } from './linux-data-plane-options.ts'
import { PeerBooks } from './peer-books.ts'
import { PlaneSockets } from './plane-sockets.ts'
import { ThreadBooks } from './thread-books.ts'

/** How often a thread may die within a time, in milliseconds, before it is given up. */
const MAX_RESTARTS = 5
const RESTARTS_WITHIN = 60_000

/** Returns why there is no Linux data plane on this machine, as one clause for a person, or `undefined` when there is. */
export function linuxDataPlaneUnsupportedReason(): string | undefined {
  return unsupportedReason()
}

/** The filling of the {@link DataPlane} seat with a thread of its own. Times are those of {@link LinuxDataPlaneOptions.now}. */
export class LinuxDataPlane implements DataPlane {
  /**
   * The plane's sockets, for what is not transport data: fit for magicsock's `DatagramSocket` seat. Without a listener
   * handshake messages go to the seat's `onDatagrams`, and the rest is dropped.
   */
  readonly sockets: PlaneSockets
  readonly #options: LinuxDataPlaneOptions
  readonly #now: () => number
  readonly #lanes: readonly PlaneLane[]
  readonly #peers = new Map<PeerId, PeerBooks>()
  readonly #paths = new Map<PeerId, Endpoint>()
  readonly #priority = new Map<PeerId, Uint8Array>()
  /** Which sessions the threads have, whose, and how many of them. */
  readonly #sessions = new Map<number, { readonly peer: PeerId; lanes: number }>()
  readonly #endpoints = new EndpointNumbers()
  #outputs: DataPlaneOutputs | undefined
  #routes: readonly PeerRoutes[] = []
  /** What the threads have counted. */
  readonly #books = new ThreadBooks()
  /** Why a thread died, while the others are being ended. */
  #dying: string | undefined
  /** When one died. */
  #deaths: number[] = []
  /** What the judge was told last, by topic. */
  readonly #rules = new Map<string, unknown>()
  /** Who waits for the threads to let go of their sockets, and how many of them have not yet. */
  #moves: { lanes: number; resolve: () => void }[] = []
  /** What was said to be missing. */
  readonly #degraded = new Set<string>()
  #closing = false
  #onStopped: (() => void) | undefined
  /** A process that ends without closing us would wait for ever for a thread that sleeps in poll(2). */
  readonly #stopAtExit = (): void => this.#post({ kind: 'stop' })

  /** @throws Error in one sentence when the machine cannot, or the port is taken. */
  constructor(options: LinuxDataPlaneOptions) {
    this.#options = options
    this.#now = options.now ?? ((): number => performance.now())
    const { queues = [] } = options.tun
    const pairs = 1 + queues.length
    const split = (options.threads ?? (availableParallelism() > 2 ? 2 : 1)) === 2
    this.sockets = new PlaneSockets(
      options.port ?? 0,
      { address: options.address, tellsLocal: options.roams === true },
      pairs,
      (groups) => this.#moveSockets(groups),
    )
    const lanes: PlaneLane[] = []
    this.#lanes = lanes
    try {
      for (let lane = 0; lane < (split ? 2 * pairs : pairs); lane += 1) {
        const opens = lane < pairs
        const overlay = !split ? 'always' : opens ? 'when-quiet' : 'when-busy'
        lanes.push(new PlaneLane(lane, { overlay, underlay: opens }, this))
      }
    } catch (error) {
      for (const lane of lanes) lane.close()
      void this.sockets.close()
      throw error
    }
    process.on('exit', this.#stopAtExit)
  }

  /** Begins to move packets, and returns itself: fit for `dataPlane` of a device's options. */
  attach(outputs: DataPlaneOutputs): this {
    this.#outputs = outputs
    this.#startLanes()
    return this
  }

  // The seat.

  setRoutes(peers: readonly PeerRoutes[]): void {
    const kept = new Set(peers.map(({ peer }) => peer))
    for (const known of [this.#peers, this.#paths, this.#priority]) {
      for (const peer of known.keys()) if (!kept.has(peer)) known.delete(peer)
    }
    for (const peer of kept) if (!this.#peers.has(peer)) this.#peers.set(peer, new PeerBooks())
    this.#routes = peers
    this.#post({ kind: 'routes', peers })
  }

  setSession(peer: PeerId, session: SessionKeys): void {
    const { localIndex, remoteIndex, initiator, createdAt } = session
    this.#sessions.set(localIndex, { peer, lanes: this.#lanes.length })
    const shared = this.#lanes.length > 1 ? new SharedArrayBuffer(SHARED_SESSION_BYTES) : undefined
    // Whoever knows it may send with it, so the one that opens what is answered hears of it first.
    const opener = this.#openerOf(localIndex)
    for (const lane of this.#lanes.toSorted((a, b) => Number(b === opener) - Number(a === opener))) {
      // Each thread wipes what it was given.
      const keys = new SharedArrayBuffer(64)
      const bytes = new Uint8Array(keys)
      bytes.set(session.sendKey)
      bytes.set(session.receiveKey, 32)
      lane.post({ kind: 'session', peer, localIndex, remoteIndex, initiator, createdAt, keys, shared })
    }
  }

  endSessions(peer: PeerId): void {
    this.#post({ kind: 'end-sessions', peer })
  }

  dropStaged(peer: PeerId): void {
    this.#post({ kind: 'drop-staged', peer })
  }

  setPriorityPacket(peer: PeerId, packet: Uint8Array | undefined): void {
    if (packet === undefined) this.#priority.delete(peer)
    else this.#priority.set(peer, packet.slice())
    this.#lanes[0]?.post({ kind: 'priority-packet', peer, packet })
  }

  sendKeepalive(peer: PeerId): void {
    this.#lanes[0]?.post({ kind: 'keepalive', peer })
  }

  /** Takes packets of the control side's own: those of the host go through the TUN. */
  fromOverlay(batch: PacketBatch): void {
    this.#lanes[0]?.post({ kind: 'packets', packets: copiesOf(batch) })
  }

  /** Takes datagrams that came another way than by the plane's own sockets, such as through a relay. */
  fromUnderlay(batch: DatagramBatch, now: number): void {
    for (let i = 0; i < batch.count; i += 1) {
      const datagram = packetOf(batch, i)
      const source = batch.sources[i] ?? -1
      if (messageType(datagram) !== MESSAGE_TRANSPORT) this.#handUp(datagram, source, now)
      else this.#openOn(datagram.slice(), source)
    }
  }

  counters(): DataPlaneCounters {
    const { sealed, opened, drops } = this.#books.all
    return { sealed, opened, drops }
  }

  peerCounters(peer: PeerId): PeerCounters | undefined {
    return this.#peers.get(peer)?.all
  }

  // Beyond the seat.

  /** Sets where a peer's datagrams go: to an endpoint, or, without one, to the seat's `toUnderlay`. */
  setPath(peer: PeerId, endpoint: Endpoint | undefined): void {
    if (endpoint === undefined) this.#paths.delete(peer)
    else this.#paths.set(peer, endpoint)
    this.#post({ kind: 'path', peer, endpoint })
  }

  /**
   * Returns the part of {@link peerCounters} that went straight: by the plane's own sockets, to the endpoint set and from
   * anywhere. The rest went through the seat: by a relay, or wherever else its owner took it.
   */
  directCounters(peer: PeerId): PeerCounters | undefined {
    return this.#peers.get(peer)?.direct
  }

  /** Gives packets to the host. */
  toHost(batch: PacketBatch): void {
    this.#lanes[0]?.post({ kind: 'to-host', packets: copiesOf(batch) })
  }

  /**
   * Says something to the judge. What was said last on each topic is said again to a judge that replaces another, in the
   * order in which the topics first came up: a message says all there is to say on its topic.
   */
  tellJudge(message: unknown, topic = ''): void {
    this.#rules.set(topic, message)
    this.#post({ kind: 'judge', message })
  }

  /** Returns the endpoint that a source of the seat's callbacks stands for, where they came by the plane's sockets. */
  endpointOf(source: number): Endpoint | undefined {
    return this.#endpoints.endpointOf(source)
  }

  /** Packets lost outside the seat's own reasons: not sent, not taken by the host, too many for one thread to hand to another. */
  get losses(): { readonly sendErrors: number; readonly hostDrops: number; readonly overflow: number } {
    const { sendErrors, hostDrops, overflow } = this.#books.all
    return {
      sendErrors,
      hostDrops,
      overflow: this.#lanes.reduce((sum, lane) => sum + lane.overflow, overflow),
    }
  }

  /** Ends the threads, which wipe their keys, and closes the sockets. The TUN may be closed after this. */
  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    process.off('exit', this.#stopAtExit)
    this.#post({ kind: 'stop' })
    if (this.#running) await new Promise<void>((resolve) => (this.#onStopped = resolve))
    this.#endMoves()
    await this.sockets.close()
    for (const lane of this.#lanes) lane.close()
  }

  // The threads.

  get #openers(): readonly PlaneLane[] {
    return this.#lanes.filter(({ takes }) => takes.underlay)
  }

  get #running(): boolean {
    return this.#lanes.some(({ running }) => running)
  }

  #startLanes(): void {
    const { tun, judge, aead, roams = false } = this.#options
    const [seconds, nanoseconds] = process.hrtime()
    const fds = [tun.fd, ...(tun.queues ?? [])]
    const openers = fds.length
    const alone = this.#lanes.length === 1 || judge === undefined
    const rings = this.#lanes.map(() => (alone ? undefined : new SharedArrayBuffer(FLOW_RING_BYTES)))
    const turns = fds.map(() => new SharedArrayBuffer(4))
    for (const [index, lane] of this.#lanes.entries()) {
      const pair = index % openers
      const partner = this.#lanes[(index + openers) % this.#lanes.length]
      lane.start({
        leads: index === 0,
        openers,
        opener: pair,
        turn: { word: turns[pair] ?? new SharedArrayBuffer(4), wakes: partner?.wakeUp ?? -1 },
        // What a thread itself sent its own filter knows.
        flows: {
          writes: rings[index],
          reads: rings.filter((ring) => ring !== undefined && ring !== rings[index]) as SharedArrayBuffer[],
        },
        tun: fds[pair] ?? -1,
        sockets: this.sockets.groups[pair] ?? NO_SOCKETS,
        mtu: tun.mtu > 0 ? tun.mtu : DEFAULT_MTU,
        roams,
        clock: { now: this.#now(), seconds, nanoseconds },
        judge,
        aead,
      })
    }
    this.#tellAll()
  }

  /** Everything that a new thread must know, but for keys. */
  #tellAll(): void {
    for (const message of this.#rules.values()) this.#post({ kind: 'judge', message })
    this.#post({ kind: 'routes', peers: this.#routes })
    for (const [peer, packet] of this.#priority)
      this.#lanes[0]?.post({ kind: 'priority-packet', peer, packet })
    for (const [peer, endpoint] of this.#paths) this.#post({ kind: 'path', peer, endpoint })
  }

  /** For the lanes. */
  onExit(lane: PlaneLane, reason: string): void {
    if (!this.#closing && this.#dying === undefined) {
      this.#dying = reason
      for (const other of this.#lanes) if (other !== lane) other.post({ kind: 'stop' })
    }
    if (this.#running) return
    if (this.#closing) this.#onStopped?.()
    else this.#replaceLanes(this.#dying ?? reason)
  }

  /** The keys went with the threads: every session is over, and whoever had one is asked to begin anew. */
  #replaceLanes(reason: string): void {
    const now = this.#now()
    this.#deaths = [...this.#deaths.filter((at) => now - at < RESTARTS_WITHIN), now]
    this.#dying = undefined
    this.#endMoves()
    const lost = new Set([...this.#sessions.values()].map(({ peer }) => peer))
    const ended = [...this.#sessions.keys()]
    this.#sessions.clear()
    this.#books.carryOver()
    for (const books of this.#peers.values()) books.carryOver()
    if (this.#deaths.length > MAX_RESTARTS) return this.#options.onEvent?.({ event: 'failed', reason })
    this.#startLanes()
    this.#options.onEvent?.({ event: 'restarted', reason })
    for (const localIndex of ended) this.#outputs?.onSessionEnd(localIndex)
    for (const peer of lost) this.#outputs?.onActivity(peer, ACTIVITY.needSession, this.#now())
  }

  /** Resolves when the threads have let go of the sockets they had, or are gone. */
  #moveSockets(groups: readonly PlaneSocketNumbers[]): Promise<void> {
    const running = this.#lanes.filter((lane) => lane.running)
    if (running.length === 0) return Promise.resolve()
    for (const lane of running) {
      lane.post({ kind: 'sockets', sockets: groups[lane.index % this.#openers.length] ?? NO_SOCKETS })
    }
    return new Promise((resolve) => this.#moves.push({ lanes: running.length, resolve }))
  }

  #noteMoved(): void {
    const [move] = this.#moves
    if (move === undefined) return
    move.lanes -= 1
    if (move.lanes > 0) return
    this.#moves.shift()
    move.resolve()
  }

  #endMoves(): void {
    const moves = this.#moves
    this.#moves = []
    for (const { resolve } of moves) resolve()
  }

  #post(command: PlaneCommand): void {
    for (const lane of this.#lanes) lane.post(command)
  }

  /** Hands a datagram of a session to the thread that opens it. */
  #openOn(datagram: Uint8Array, source: Endpoint | number): void {
    const localIndex = new DataView(datagram.buffer, datagram.byteOffset).getUint32(4, true)
    this.#openerOf(localIndex)?.post({ kind: 'datagrams', datagrams: [datagram], sources: [source] })
  }

  #openerOf(localIndex: number): PlaneLane | undefined {
    const openers = this.#openers
    return openers[openerOf(localIndex, openers.length)]
  }

  /** For the lanes. */
  onNews(lane: PlaneLane, news: PlaneNews): void {
    if (news.kind === 'ready') {
      // All choose alike, and it is said once.
      if (lane.index > 0) return
      this.#options.onEvent?.({ event: 'ready', aead: news.aead, missing: news.missing })
      if (this.sockets.groups.some(({ v4, segments }) => v4 >= 0 && !segments)) this.#degrade(NO_SEGMENTS)
      return
    }
    if (news.kind === 'no-segments') return this.#degrade(NO_SEGMENTS)
    if (news.kind === 'tun-lost') {
      return this.#options.onEvent?.({ event: 'tun-lost', reason: describeErrno(news.result) })
    }
    if (news.kind === 'moved') return this.#noteMoved()
    lane.noteHeard()
    if (!this.#closing) this.#hearReport(lane, news)
  }

  #degrade(reason: string): void {
    if (this.#degraded.has(reason)) return
    this.#degraded.add(reason)
    this.#options.onEvent?.({ event: 'degraded', reason })
  }

  #hearReport(lane: PlaneLane, report: PlaneReport): void {
    const outputs = this.#outputs
    if (outputs === undefined) return
    const now = this.#now()
    this.#books.take(report.counters, lane.index)
    for (const { bytes, source } of report.datagrams) this.#hearDatagram(bytes, source, now)
    for (const { bytes, peer } of report.sealed) outputs.toUnderlay(peer, batchOf(bytes, peer, -1))
    for (const { bytes, peer } of report.packets) this.#options.onPacket?.(bytes, peer)
    for (const { result, to } of report.troubles) this.sockets.fail(result, to)
    for (const { peer, source } of report.sources) this.#hearSource(peer, source)
    for (const { peer, localIndex } of report.confirmed) {
      for (const other of this.#lanes) if (other !== lane) other.post({ kind: 'confirm', peer, localIndex })
    }
    for (const localIndex of report.ended) this.#hearEnd(localIndex)
    for (const { peer, activity, direct, ...sums } of report.peers) {
      this.#peers.get(peer)?.take(sums, direct, lane.index)
      outputs.onActivity(peer, activity, now)
    }
  }

  /** An index is free once every thread has let go of it. */
  #hearEnd(localIndex: number): void {
    const session = this.#sessions.get(localIndex)
    if (session !== undefined) {
      session.lanes -= 1
      if (session.lanes > 0) return
      this.#sessions.delete(localIndex)
    }
    this.#outputs?.onSessionEnd(localIndex)
  }

  #hearDatagram(bytes: Uint8Array, source: Endpoint | number, now: number): void {
    if (messageType(bytes) === MESSAGE_TRANSPORT) return this.#openOn(bytes, source)
    if (typeof source === 'number') return this.#handUp(bytes, source, now)
    if (this.sockets.heard) return this.sockets.receive(bytes, source)
    if (messageType(bytes) !== undefined) this.#handUp(bytes, this.#endpoints.numberOf(source), now)
  }

  #handUp(bytes: Uint8Array, source: number, now: number): void {
    if (messageType(bytes) !== undefined) this.#outputs?.onDatagrams(batchOf(bytes, -1, source), now)
  }

  #hearSource(peer: PeerId, source: Endpoint | number): void {
    if (typeof source === 'number') return this.#outputs?.onSource(peer, source)
    const { onEndpoint, roams } = this.#options
    if (roams) this.#post({ kind: 'path', peer, endpoint: source })
    if (onEndpoint === undefined) this.#outputs?.onSource(peer, this.#endpoints.numberOf(source))
    else onEndpoint(peer, source)
  }
}

const NO_SEGMENTS = 'the kernel does not cut up what is sent (UDP_SEGMENT), so datagrams go one by one'
const NO_SOCKETS: PlaneSocketNumbers = { v4: -1, v6: -1, segments: false }

function batchOf(bytes: Uint8Array, peer: PeerId, source: number): PacketBuffer {
  const batch = new PacketBuffer(1, bytes.length + 16)
  batch.push(bytes, peer, source)
  return batch
}

function copiesOf(batch: PacketBatch): Uint8Array[] {
  return Array.from({ length: batch.count }, (_, index) => packetOf(batch, index).slice())
}
