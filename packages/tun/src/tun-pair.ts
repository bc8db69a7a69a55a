// Two devices back to back in memory: what one end is given, the other hands to its sink. The fake of the seat,
// and the wire between a node and a user-space stack.
import type { TunError } from './errors.ts'
import { batchOf, type PacketBatch, type PacketSink, packetAt, packetsOf } from './packet-batch.ts'
import type { TunCounters, TunDevice } from './tun-device.ts'

/** How a pair is made. */
export interface TunPairOptions {
  /** Names of the two ends. Default `mesh0` and `mesh1`. */
  readonly names?: readonly [string, string]
  /** Largest packet in bytes. Default 1280, what a mesh interface has. */
  readonly mtu?: number
  /** How many packets wait for an end that has no sink yet; more are dropped. Default 256. */
  readonly backlog?: number
}

/** The MTU of a mesh interface: the least IPv6 allows, so that no path needs to be probed. */
export const DEFAULT_MTU = 1280

/** The largest packet IP can describe without jumbograms. */
export const MAX_PACKET = 65_535

/**
 * Returns two connected devices. Delivery is synchronous: the sink of the far end runs inside `write`, on the
 * writer's own batch where every packet fits the MTU.
 */
export function createTunPair(options: TunPairOptions = {}): [TunDevice, TunDevice] {
  const { names = ['mesh0', 'mesh1'], mtu = DEFAULT_MTU, backlog = 256 } = options
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > MAX_PACKET) throw new RangeError(`mtu out of range: ${mtu}`)
  const left = new PairEnd(names[0], mtu, backlog)
  const right = new PairEnd(names[1], mtu, backlog)
  left.far = right
  right.far = left
  return [left, right]
}

class PairEnd implements TunDevice {
  readonly name: string
  readonly mtu: number
  readonly closed: Promise<TunError | undefined>
  far: PairEnd | undefined
  readonly #backlog: number
  readonly #waiting: Uint8Array[] = []
  #sink: PacketSink | undefined
  #closed = false
  #settleClosed: (error: undefined) => void = () => undefined
  #counters = {
    receivedPackets: 0,
    receivedBytes: 0,
    sentPackets: 0,
    sentBytes: 0,
    receiveDrops: 0,
    sendDrops: 0,
  }

  constructor(name: string, mtu: number, backlog: number) {
    this.name = name
    this.mtu = mtu
    this.#backlog = backlog
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
  }

  onPackets(sink: PacketSink): void {
    this.#sink = sink
    if (this.#closed || this.#waiting.length === 0) return
    this.#deliver(batchOf(this.#waiting.splice(0)), sink)
  }

  write(batch: PacketBatch): number {
    const far = this.far
    if (this.#closed || far === undefined || far.#closed) {
      this.#counters.sendDrops += batch.count
      return 0
    }
    const fitting = this.#fitting(batch)
    this.#counters.sendDrops += batch.count - fitting.count
    this.#counters.sentPackets += fitting.count
    this.#counters.sentBytes += byteCount(fitting)
    if (fitting.count > 0) far.#accept(fitting)
    return fitting.count
  }

  counters(): TunCounters {
    return { ...this.#counters }
  }

  close(): Promise<void> {
    this.#closed = true
    this.#sink = undefined
    this.#counters.receiveDrops += this.#waiting.splice(0).length
    this.#settleClosed(undefined)
    return Promise.resolve()
  }

  #accept(batch: PacketBatch): void {
    if (this.#sink !== undefined) return this.#deliver(batch, this.#sink)
    const room = this.#backlog - this.#waiting.length
    this.#waiting.push(...packetsOf(batch).slice(0, room))
    this.#counters.receiveDrops += Math.max(0, batch.count - room)
  }

  #deliver(batch: PacketBatch, sink: PacketSink): void {
    this.#counters.receivedPackets += batch.count
    this.#counters.receivedBytes += byteCount(batch)
    sink(batch)
  }

  /** The batch itself in the common case, else one without the packets no interface of this MTU would take. */
  #fitting(batch: PacketBatch): PacketBatch {
    const fits = (index: number): boolean => {
      const length = batch.lengths[index] ?? 0
      return length > 0 && length <= this.mtu
    }
    let whole = true
    for (let index = 0; index < batch.count && whole; index++) whole = fits(index)
    if (whole) return batch
    const kept: Uint8Array[] = []
    for (let index = 0; index < batch.count; index++) if (fits(index)) kept.push(packetAt(batch, index))
    return batchOf(kept)
  }
}

function byteCount(batch: PacketBatch): number {
  let total = 0
  for (let index = 0; index < batch.count; index++) total += batch.lengths[index] ?? 0
  return total
}
