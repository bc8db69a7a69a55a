// The Linux filling of the data plane's seat, as the control thread sees it: the packets are moved by a thread of their
// own, which owns the TUN and the sockets for as long as it lives; here stand the seat's calls, which become messages to
// it, and its reports, which become the seat's callbacks. When the thread dies another is begun, and the sessions that
// were lost with it are negotiated anew.
import { Worker } from 'node:worker_threads'
import { O_CLOEXEC, O_NONBLOCK } from '@mesh/linux'
import { Arena, describeErrno, linuxCalls, unsupportedReason } from '@mesh/linux/node'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
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
import { type DatagramBatch, type PacketBatch, PacketBuffer, type PeerId, packetOf } from '../packet-batch.ts'
import { PlaneCounters } from '../plane-counters.ts'
import {
  type PlaneCommand,
  type PlaneNews,
  type PlaneReport,
  type PlaneStart,
  SHARED_MESSAGES,
  SHARED_REPORTS,
  SHARED_WORDS,
} from './plane-messages.ts'
import { PeerBooks } from './peer-books.ts'
import { PlaneSockets } from './plane-sockets.ts'
import { endpointKey } from './socket-address.ts'

/** Beside this file: the source when run from sources, the bundle's entry of that name when installed. */
const WORKER = new URL(
  import.meta.url.endsWith('.ts') ? './plane-worker.ts' : './plane-worker.js',
  import.meta.url,
)

/** How often the thread may die within a time, in milliseconds, before it is given up. */
const MAX_RESTARTS = 5
const RESTARTS_WITHIN = 60_000

/** How a {@link LinuxDataPlane} is made. */
export interface LinuxDataPlaneOptions {
  /**
   * An open TUN with virtio headers, such as `openOffloadTun` of `@mesh/tun/node` gives. It stays the caller's to close. A
   * file descriptor of -1 is none.
   */
  readonly tun: { readonly fd: number; readonly mtu: number }
  /** The UDP port to ask for, of both families; any when left out. */
  readonly port?: number
  /** The IPv4 address to bind to, and then no IPv6; all of both families when left out. */
  readonly address?: IpAddress
  /** The monotonic clock in milliseconds; `performance.now` when left out. */
  readonly now?: () => number
  /** A module whose export `createJudge(options)` makes the packet filter of the thread. */
  readonly judge?: { readonly module: string; readonly options: unknown }
  /**
   * Whether this is plain WireGuard: authentic data moves a peer's path, and its answers go there at once; what is no message
   * of WireGuard is dropped.
   */
  readonly roams?: boolean
  /** `wasm` to leave Node's OpenSSL alone. */
  readonly aead?: 'wasm'
  /** Hears that authentic data of a peer came straight from an endpoint. Said again now and then. */
  readonly onEndpoint?: (peer: PeerId, endpoint: Endpoint) => void
  /** Takes what the judge hands up: from the host (`peer` is -1) or from a peer. */
  readonly onPacket?: (packet: Uint8Array, peer: PeerId) => void
  /** Hears what is worth a line in a log. */
  readonly onEvent?: (event: LinuxDataPlaneEvent) => void
}

/** What happens with a {@link LinuxDataPlane}. */
export type LinuxDataPlaneEvent =
  /** The thread runs; which bulk crypto it uses, and why none faster. */
  | { readonly event: 'ready'; readonly aead: string; readonly missing: readonly string[] }
  /** The thread died and another was begun. */
  | { readonly event: 'restarted'; readonly reason: string }
  /** It died too often; no packet moves any more. */
  | { readonly event: 'failed'; readonly reason: string }
  /** The TUN is gone. */
  | { readonly event: 'tun-lost'; readonly reason: string }

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
  readonly #calls = linuxCalls()
  /** One word, for the eventfd. */
  readonly #arena = new Arena(new SharedArrayBuffer(8))
  readonly #wakeUp: number
  readonly #shared = new SharedArrayBuffer(SHARED_WORDS * 4)
  readonly #words = new Int32Array(this.#shared)
  readonly #peers = new Map<PeerId, PeerBooks>()
  readonly #paths = new Map<PeerId, Endpoint>()
  readonly #priority = new Map<PeerId, Uint8Array>()
  /** Which sessions the thread has, and whose. */
  readonly #sessions = new Map<number, PeerId>()
  readonly #endpoints: Endpoint[] = []
  #outputs: DataPlaneOutputs | undefined
  #routes: readonly PeerRoutes[] = []
  #counters: DataPlaneCounters = new PlaneCounters()
  #worker: Worker | undefined
  /** When it died. */
  #deaths: number[] = []
  /** What the judge was told last, by topic. */
  readonly #rules = new Map<string, unknown>()
  /** Who waits for the thread to let go of its sockets. */
  #moves: (() => void)[] = []
  #closing = false
  #report: PlaneReport['counters'] | undefined
  /** A process that ends without closing us would wait for ever for a thread that sleeps in poll(2). */
  readonly #stopAtExit = (): void => this.#post({ kind: 'stop' })

  /** @throws Error in one sentence when the machine cannot, or the port is taken. */
  constructor(options: LinuxDataPlaneOptions) {
    this.#options = options
    this.#now = options.now ?? ((): number => performance.now())
    this.sockets = new PlaneSockets(options.port ?? 0, options.address, (sockets) =>
      this.#moveSockets(sockets),
    )
    this.#wakeUp = this.#calls.eventfd(O_CLOEXEC | O_NONBLOCK)
    if (this.#wakeUp < 0) {
      void this.sockets.close()
      throw new Error(`no Linux data plane: eventfd: ${describeErrno(this.#wakeUp)}`)
    }
    process.on('exit', this.#stopAtExit)
  }

  /** Begins to move packets, and returns itself: fit for `dataPlane` of a device's options. */
  attach(outputs: DataPlaneOutputs): this {
    this.#outputs = outputs
    this.#startWorker()
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
    const keys = new SharedArrayBuffer(64)
    const bytes = new Uint8Array(keys)
    bytes.set(session.sendKey)
    bytes.set(session.receiveKey, 32)
    const { localIndex, remoteIndex, initiator, createdAt } = session
    this.#sessions.set(localIndex, peer)
    this.#post({ kind: 'session', peer, localIndex, remoteIndex, initiator, createdAt, keys })
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
    this.#post({ kind: 'priority-packet', peer, packet })
  }

  sendKeepalive(peer: PeerId): void {
    this.#post({ kind: 'keepalive', peer })
  }

  /** Takes packets of the control side's own: those of the host go through the TUN. */
  fromOverlay(batch: PacketBatch): void {
    this.#post({ kind: 'packets', packets: copiesOf(batch) })
  }

  /** Takes datagrams that came another way than by the plane's own sockets, such as through a relay. */
  fromUnderlay(batch: DatagramBatch, now: number): void {
    const datagrams: Uint8Array[] = []
    const sources: number[] = []
    for (let i = 0; i < batch.count; i += 1) {
      const datagram = packetOf(batch, i)
      const source = batch.sources[i] ?? -1
      if (messageType(datagram) !== MESSAGE_TRANSPORT) this.#handUp(datagram, source, now)
      else {
        datagrams.push(datagram.slice())
        sources.push(source)
      }
    }
    if (datagrams.length > 0) this.#post({ kind: 'datagrams', datagrams, sources })
  }

  counters(): DataPlaneCounters {
    const { sealed, opened, drops } = this.#counters
    return { sealed, opened, drops: { ...drops } }
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
    this.#post({ kind: 'to-host', packets: copiesOf(batch) })
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
    return this.#endpoints[source]
  }

  /** Packets lost outside the seat's own reasons: not sent, not taken by the host, too many for the control thread. */
  get losses(): { readonly sendErrors: number; readonly hostDrops: number; readonly overflow: number } {
    const { sendErrors = 0, hostDrops = 0, overflow = 0 } = this.#report ?? {}
    return { sendErrors, hostDrops, overflow }
  }

  /** Ends the thread, wipes the keys with its memory, and closes the sockets. The TUN may be closed after this. */
  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    process.off('exit', this.#stopAtExit)
    const worker = this.#worker
    if (worker !== undefined) {
      const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
      for (const { peer } of this.#routes) this.#post({ kind: 'end-sessions', peer })
      this.#post({ kind: 'stop' })
      await exited
    }
    this.#worker = undefined
    this.#endMoves()
    await this.sockets.close()
    this.#calls.close(this.#wakeUp)
  }

  // The thread.

  #startWorker(): void {
    const { tun, judge, aead, roams = false } = this.#options
    const [seconds, nanoseconds] = process.hrtime()
    const workerData: PlaneStart = {
      tun: tun.fd,
      sockets: this.sockets.descriptors,
      wakeUp: this.#wakeUp,
      mtu: tun.mtu > 0 ? tun.mtu : DEFAULT_MTU,
      roams,
      shared: this.#shared,
      clock: { now: this.#now(), seconds, nanoseconds },
      judge,
      aead,
    }
    Atomics.store(this.#words, SHARED_MESSAGES, 0)
    Atomics.store(this.#words, SHARED_REPORTS, 0)
    const worker = new Worker(WORKER, { workerData, name: 'packets' })
    this.#worker = worker
    let reason = 'it ended by itself'
    worker.on('message', (news: PlaneNews) => {
      if (worker === this.#worker) this.#hear(news)
    })
    worker.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error)
    })
    worker.on('exit', () => {
      if (!this.#closing && worker === this.#worker) this.#replaceWorker(reason)
    })
    worker.on('messageerror', () => undefined)
    this.#tellAll()
  }

  /** Everything that a new thread must know, but for keys. */
  #tellAll(): void {
    for (const message of this.#rules.values()) this.#post({ kind: 'judge', message })
    this.#post({ kind: 'routes', peers: this.#routes })
    for (const [peer, packet] of this.#priority) this.#post({ kind: 'priority-packet', peer, packet })
    for (const [peer, endpoint] of this.#paths) this.#post({ kind: 'path', peer, endpoint })
  }

  /** The keys went with the thread: every session is over, and whoever had one is asked to begin anew. */
  #replaceWorker(reason: string): void {
    const now = this.#now()
    this.#deaths = [...this.#deaths.filter((at) => now - at < RESTARTS_WITHIN), now]
    this.#worker = undefined
    this.#endMoves()
    const lost = new Set(this.#sessions.values())
    const ended = [...this.#sessions.keys()]
    this.#sessions.clear()
    for (const books of this.#peers.values()) books.carryOver()
    if (this.#deaths.length > MAX_RESTARTS) return this.#options.onEvent?.({ event: 'failed', reason })
    this.#startWorker()
    this.#options.onEvent?.({ event: 'restarted', reason })
    for (const localIndex of ended) this.#outputs?.onSessionEnd(localIndex)
    for (const peer of lost) this.#outputs?.onActivity(peer, ACTIVITY.needSession, this.#now())
  }

  /** Resolves when the thread has let go of the sockets it had, or is gone. */
  #moveSockets(sockets: PlaneStart['sockets']): Promise<void> {
    if (this.#worker === undefined) return Promise.resolve()
    this.#post({ kind: 'sockets', sockets })
    return new Promise((resolve) => this.#moves.push(resolve))
  }

  #endMoves(): void {
    const moves = this.#moves
    this.#moves = []
    for (const resolve of moves) resolve()
  }

  #post(command: PlaneCommand): void {
    const worker = this.#worker
    if (worker === undefined) return
    worker.postMessage(command, [])
    Atomics.add(this.#words, SHARED_MESSAGES, 1)
    this.#arena.bytes[0] = 1
    this.#calls.write(this.#wakeUp, this.#arena, 0, 8)
  }

  #hear(news: PlaneNews): void {
    if (news.kind === 'ready')
      return this.#options.onEvent?.({ event: 'ready', aead: news.aead, missing: news.missing })
    if (news.kind === 'tun-lost') {
      return this.#options.onEvent?.({ event: 'tun-lost', reason: describeErrno(news.result) })
    }
    if (news.kind === 'moved') return this.#moves.shift()?.()
    Atomics.sub(this.#words, SHARED_REPORTS, 1)
    if (!this.#closing) this.#hearReport(news)
  }

  #hearReport(report: PlaneReport): void {
    const outputs = this.#outputs
    if (outputs === undefined) return
    const now = this.#now()
    this.#counters = report.counters
    this.#report = report.counters
    for (const { bytes, source } of report.datagrams) this.#hearDatagram(bytes, source, now)
    for (const { bytes, peer } of report.sealed) outputs.toUnderlay(peer, batchOf(bytes, peer, -1))
    for (const { bytes, peer } of report.packets) this.#options.onPacket?.(bytes, peer)
    for (const { result, to } of report.troubles) this.sockets.fail(result, to)
    for (const { peer, source } of report.sources) this.#hearSource(peer, source)
    for (const localIndex of report.ended) {
      this.#sessions.delete(localIndex)
      outputs.onSessionEnd(localIndex)
    }
    for (const { peer, activity, direct, ...sums } of report.peers) {
      this.#peers.get(peer)?.take(sums, direct)
      outputs.onActivity(peer, activity, now)
    }
  }

  #hearDatagram(bytes: Uint8Array, source: Endpoint | number, now: number): void {
    if (typeof source === 'number') return this.#handUp(bytes, source, now)
    if (this.sockets.heard) return this.sockets.receive(bytes, source)
    if (messageType(bytes) !== undefined) this.#handUp(bytes, this.#numberOf(source), now)
  }

  #handUp(bytes: Uint8Array, source: number, now: number): void {
    if (messageType(bytes) !== undefined) this.#outputs?.onDatagrams(batchOf(bytes, -1, source), now)
  }

  #hearSource(peer: PeerId, source: Endpoint | number): void {
    if (typeof source === 'number') return this.#outputs?.onSource(peer, source)
    const { onEndpoint } = this.#options
    if (onEndpoint === undefined) this.#outputs?.onSource(peer, this.#numberOf(source))
    else onEndpoint(peer, source)
  }

  /** A number for an endpoint, good until a few thousand others have come. */
  #numberOf(endpoint: Endpoint): number {
    const key = endpointKey(endpoint)
    const known = this.#endpoints.findIndex((one) => endpointKey(one) === key)
    if (known >= 0) return known
    if (this.#endpoints.length >= MAX_ENDPOINTS) this.#endpoints.length = 0
    return this.#endpoints.push(endpoint) - 1
  }
}

const MAX_ENDPOINTS = 256

function batchOf(bytes: Uint8Array, peer: PeerId, source: number): PacketBuffer {
  const batch = new PacketBuffer(1, bytes.length + 16)
  batch.push(bytes, peer, source)
  return batch
}

function copiesOf(batch: PacketBatch): Uint8Array[] {
  return Array.from({ length: batch.count }, (_, index) => packetOf(batch, index).slice())
}
