// The kernel's TUN as a TunDevice: reading on its own thread, writing on the caller's, both through one arena.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { O_CLOEXEC } from '@mesh/linux'
import { Arena, describeErrno, linuxCalls } from '@mesh/linux/node'
import { TunError } from '../errors.ts'
import type { PacketBatch, PacketSink } from '../packet-batch.ts'
import type { TunCounters, TunDevice } from '../tun-device.ts'
import { MAX_PACKET } from '../tun-pair.ts'
import { PacketRing } from './packet-ring.ts'
import type { ReaderMessage, ReaderStart } from './reader.ts'

/** Beside this file: the source when run from sources, the bundle's entry of that name when installed. */
const READER = new URL(import.meta.url.endsWith('.ts') ? './reader.ts' : './reader.js', import.meta.url)

/** An open TUN. Owns the file descriptor it is given, and closes it. */
export class LinuxTun implements TunDevice {
  readonly name: string
  readonly mtu: number
  readonly closed: Promise<TunError | undefined>
  readonly #device: number
  readonly #wakeUp: number
  readonly #ring = new PacketRing()
  readonly #outgoing = new Arena(new SharedArrayBuffer(65_536))
  readonly #calls = linuxCalls()
  readonly #counters = {
    receivedPackets: 0,
    receivedBytes: 0,
    sentPackets: 0,
    sentBytes: 0,
    receiveDrops: 0,
    sendDrops: 0,
  }
  #reader: Worker | undefined
  #sink: PacketSink | undefined
  #closing: Promise<void> | undefined
  #settleClosed: (error: TunError | undefined) => void = () => undefined
  /** A process that ends without closing us would wait for ever for a thread that sleeps in poll(2). */
  readonly #wakeAtExit = (): void => this.#endReading()

  constructor(name: string, mtu: number, device: number) {
    this.name = name
    this.mtu = mtu
    this.#device = device
    this.#wakeUp = this.#calls.eventfd(O_CLOEXEC)
    if (this.#wakeUp < 0)
      throw new TunError('ERR_TUN_SYSTEM', `eventfd failed: ${describeErrno(this.#wakeUp)}`)
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
  }

  onPackets(sink: PacketSink): void {
    this.#sink = sink
    if (this.#reader === undefined && this.#closing === undefined) this.#startReader()
  }

  write(batch: PacketBatch): number {
    let taken = 0
    for (let index = 0; index < batch.count; index++) {
      const length = batch.lengths[index] ?? 0
      if (!this.#writeOne(batch.bytes, batch.offsets[index] ?? 0, length)) continue
      taken += 1
      this.#counters.sentBytes += length
    }
    this.#counters.sentPackets += taken
    this.#counters.sendDrops += batch.count - taken
    return taken
  }

  counters(): TunCounters {
    return { ...this.#counters }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close(undefined)
    return this.#closing
  }

  #writeOne(bytes: Uint8Array, offset: number, length: number): boolean {
    if (this.#closing !== undefined || length < 1 || length > MAX_PACKET) return false
    this.#outgoing.bytes.set(bytes.subarray(offset, offset + length))
    return this.#calls.write(this.#device, this.#outgoing, 0, length) === length
  }

  #startReader(): void {
    const workerData: ReaderStart = {
      ring: this.#ring.buffer,
      device: this.#device,
      wakeUp: this.#wakeUp,
    }
    const reader = new Worker(READER, { workerData, name: `${this.name} reader` })
    reader.on('message', (message: ReaderMessage) => this.#handleMessage(message))
    reader.on('error', (cause) =>
      this.#lose(new TunError('ERR_TUN_LOST', `${this.name}: reading stopped`, { cause })),
    )
    this.#reader = reader
    process.on('exit', this.#wakeAtExit)
  }

  #handleMessage(message: ReaderMessage): void {
    if (message.kind === 'failed') {
      return this.#lose(
        new TunError('ERR_TUN_LOST', `${this.name} is gone: ${describeErrno(message.result)}`),
      )
    }
    try {
      this.#deliver(this.#ring.batch(message.slot, message.count))
    } finally {
      this.#ring.release(message.slot)
    }
  }

  #deliver(batch: PacketBatch): void {
    const sink = this.#closing === undefined ? this.#sink : undefined
    if (sink === undefined) {
      this.#counters.receiveDrops += batch.count
      return
    }
    this.#counters.receivedPackets += batch.count
    for (let index = 0; index < batch.count; index++)
      this.#counters.receivedBytes += batch.lengths[index] ?? 0
    sink(batch)
  }

  #lose(error: TunError): void {
    this.#closing ??= this.#close(error)
  }

  /** Wakes the reader wherever it waits: for a slot, or in poll(2), where any 8 bytes in the eventfd end the wait. */
  #endReading(): void {
    this.#ring.startClosing()
    this.#outgoing.bytes.fill(0, 0, 8)
    this.#outgoing.bytes[0] = 1
    this.#calls.write(this.#wakeUp, this.#outgoing, 0, 8)
  }

  /** Ends the reader before its file descriptors go: a number closed too early may name another file next. */
  async #close(error: TunError | undefined): Promise<void> {
    const reader = this.#reader
    if (reader !== undefined && reader.threadId !== -1) {
      const exit = once(reader, 'exit')
      this.#endReading()
      await exit
    }
    process.off('exit', this.#wakeAtExit)
    this.#sink = undefined
    this.#calls.close(this.#device)
    this.#calls.close(this.#wakeUp)
    this.#settleClosed(error)
  }
}
