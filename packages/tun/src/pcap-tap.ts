// A tap around a device: everything passes unchanged, and a copy goes to a pcap stream.
import type { TunError } from './errors.ts'
import { type PacketBatch, type PacketSink, packetAt } from './packet-batch.ts'
import { encodePcapHeader, encodePcapRecord } from './pcap.ts'
import type { TunCounters, TunDevice } from './tun-device.ts'
import { MAX_PACKET } from './tun-pair.ts'

/** How a tap writes. */
export interface PcapTapOptions {
  /** Returns wall time in milliseconds since 1970, for the records' stamps. */
  readonly wallTime: () => number
  /** Takes the stream's bytes in order: first the file header, then one call a packet. Each call owns its bytes. */
  readonly write: (bytes: Uint8Array) => void
  /** The most bytes kept of one packet. Default: all of it. */
  readonly snapLength?: number
}

/** Returns the same device with a tap: packets of both directions are copied to a pcap stream as they pass. */
export function tapToPcap(device: TunDevice, options: PcapTapOptions): TunDevice {
  return new TappedDevice(device, options)
}

class TappedDevice implements TunDevice {
  readonly name: string
  readonly mtu: number
  readonly closed: Promise<TunError | undefined>
  readonly #device: TunDevice
  readonly #options: PcapTapOptions
  readonly #snapLength: number

  constructor(device: TunDevice, options: PcapTapOptions) {
    this.name = device.name
    this.mtu = device.mtu
    this.closed = device.closed
    this.#device = device
    this.#options = options
    this.#snapLength = options.snapLength ?? MAX_PACKET
    options.write(encodePcapHeader(this.#snapLength))
  }

  onPackets(sink: PacketSink): void {
    this.#device.onPackets((batch) => {
      this.#record(batch)
      sink(batch)
    })
  }

  write(batch: PacketBatch): number {
    this.#record(batch)
    return this.#device.write(batch)
  }

  counters(): TunCounters {
    return this.#device.counters()
  }

  close(): Promise<void> {
    return this.#device.close()
  }

  #record(batch: PacketBatch): void {
    const time = this.#options.wallTime()
    for (let index = 0; index < batch.count; index++) {
      this.#options.write(encodePcapRecord(time, packetAt(batch, index), this.#snapLength))
    }
  }
}
