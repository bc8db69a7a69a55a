// The packet thread of a node and what ties it to the rest: magicsock's path to each peer is told to it, what it sends and
// hears is told to magicsock, the gate's settings go to the gate that stands there, and what that hands up goes to the engine.
import type { PeerTraffic } from '@mesh/magicsock'
import type { MagicSockHandle } from '@mesh/magicsock/node'
import { systemClock } from '@mesh/sansio/node'
import type { OffloadTun } from '@mesh/tun/node'
import type { Endpoint } from '@mesh/wire/ip'
import {
  ACTIVITY,
  type DataPlane,
  type DataPlaneOutputs,
  type PacketBatch,
  type PeerId,
} from '@mesh/wireguard'
import { LinuxDataPlane, type LinuxDataPlaneEvent } from '@mesh/wireguard/node'
import type { Engine } from '../engine.ts'
import { type GateDrop, GateDrops } from '../gate-drops.ts'
import type { GateSettings } from '../packet-gate.ts'

/** Beside this file: the source when run from sources, the bundle's entry of that name when installed. */
const JUDGE = new URL(
  import.meta.url.endsWith('.ts') ? './packet-judge.ts' : './packet-judge.js',
  import.meta.url,
)

/** How often paths that nothing was heard of are looked at, in milliseconds: one may have lost its trust in silence. */
const PATH_CHECK_INTERVAL = 1_000

/** The parts of a node that the thread works with. */
export interface ThreadNeighbours {
  readonly engine: Pick<Engine, 'takeUp' | 'wake'>
  readonly sock: Pick<MagicSockHandle, 'noteTraffic' | 'attributeEndpoint' | 'straightPath'>
}

/** A {@link LinuxDataPlane} in its place. */
export class PacketThread {
  /** The plane; its sockets are to be magicsock's. */
  readonly plane: LinuxDataPlane
  readonly #drops = new SharedArrayBuffer(GateDrops.byteLength)
  readonly #paths = new Map<PeerId, Endpoint>()
  #neighbours: ThreadNeighbours | undefined
  #stopChecking: (() => void) | undefined

  /**
   * Opens the sockets; {@link open} begins.
   *
   * @throws Error with the system's `code` when the port cannot be had.
   */
  constructor(tun: OffloadTun, port: number, onEvent: (event: LinuxDataPlaneEvent) => void) {
    this.plane = new LinuxDataPlane({
      tun,
      port,
      now: () => systemClock.now(),
      judge: { module: JUDGE.href, options: this.#drops },
      onEndpoint: (peer, endpoint) => this.#neighbours?.sock.attributeEndpoint(endpoint, peer),
      onPacket: (packet, peer) => this.#neighbours?.engine.takeUp(packet, peer),
      onEvent,
    })
  }

  /** Begins to move packets: the data plane of a device. */
  open(outputs: DataPlaneOutputs): DataPlane {
    return this.plane.attach({
      ...outputs,
      onDatagrams: (batch, now) => {
        outputs.onDatagrams(batch, now)
        this.#neighbours?.engine.wake()
      },
      onActivity: (peer, activity, now) => {
        if ((activity & ACTIVITY.sent) !== 0) this.#noteTraffic(peer)
        outputs.onActivity(peer, activity, now)
        this.#neighbours?.engine.wake()
      },
    })
  }

  /** Gives packets to the host, and returns how many. */
  toHost(batch: PacketBatch): number {
    this.plane.toHost(batch)
    return batch.count
  }

  /** Introduces the rest of the node. */
  join(neighbours: ThreadNeighbours): void {
    this.#neighbours = neighbours
  }

  /** Tells the gate on the thread, and the one on a thread that replaces it. */
  tellGate(change: GateSettings): void {
    const topics: Readonly<Record<string, unknown>> = { ...change }
    for (const [topic, value] of Object.entries(topics)) this.plane.tellJudge({ [topic]: value }, topic)
  }

  /** Hears that magicsock has chosen another path, or none. The one before is left at once; traffic brings up the next. */
  notePathChange(peer: PeerId): void {
    const before = this.#paths.get(peer)
    if (before && this.#neighbours?.sock.straightPath(peer) !== before) this.#setPath(peer, undefined)
  }

  /** Packets dropped by the gate, by reason. */
  get drops(): Record<GateDrop, number> {
    return new GateDrops(this.#drops).snapshot()
  }

  /** Returns what went to and came from a peer: what magicsock knows of, and what the thread moved by itself. */
  addTraffic(peer: PeerId, known: PeerTraffic): PeerTraffic {
    const own = this.plane.directCounters(peer)
    if (own === undefined) return known
    const { sentDirect, receivedDirect } = known
    return {
      ...known,
      sentDirect: {
        packets: sentDirect.packets + own.sentPackets,
        bytes: sentDirect.bytes + own.sentBytes,
      },
      receivedDirect: {
        packets: receivedDirect.packets + own.receivedPackets,
        bytes: receivedDirect.bytes + own.receivedBytes,
      },
    }
  }

  /** Ends the thread and closes the sockets. */
  async close(): Promise<void> {
    this.#stopChecking?.()
    await this.plane.close()
  }

  #noteTraffic(peer: PeerId): void {
    if (this.#neighbours) this.#setPath(peer, this.#neighbours.sock.noteTraffic(peer))
  }

  #setPath(peer: PeerId, endpoint: Endpoint | undefined): void {
    if (this.#paths.get(peer) === endpoint) return
    if (endpoint === undefined) this.#paths.delete(peer)
    else this.#paths.set(peer, endpoint)
    this.plane.setPath(peer, endpoint)
    if (this.#paths.size > 0) this.#stopChecking ??= this.#checkLater()
  }

  #checkLater(): () => void {
    return systemClock.at(systemClock.now() + PATH_CHECK_INTERVAL, () => {
      this.#stopChecking = undefined
      for (const peer of this.#paths.keys()) this.notePathChange(peer)
      if (this.#paths.size > 0) this.#stopChecking ??= this.#checkLater()
    })
  }
}
