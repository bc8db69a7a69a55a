// The seat every packet device fills: the kernel's TUN, the in-memory pair, and whatever a test makes up.
import type { TunError } from './errors.ts'
import type { PacketBatch, PacketSink } from './packet-batch.ts'

/** What went through a device since it was opened. "Received" is from the host, "sent" is to the host. */
export interface TunCounters {
  /** Packets handed to the sink of {@link TunDevice.onPackets}. */
  readonly receivedPackets: number
  /** Bytes of those packets. */
  readonly receivedBytes: number
  /** Packets taken by the host from {@link TunDevice.write}. */
  readonly sentPackets: number
  /** Bytes of those packets. */
  readonly sentBytes: number
  /** Packets dropped on the way from the host, for want of a reader. */
  readonly receiveDrops: number
  /** Packets the host refused: malformed, oversized, or the device is down or closed. */
  readonly sendDrops: number
}

/**
 * A packet device: whole IP packets, no link layer, no packet information header. What the host sends into the
 * device comes out by {@link TunDevice.onPackets}; what is passed to {@link TunDevice.write} arrives at the host.
 */
export interface TunDevice {
  /** The interface's name, as the host shows it. */
  readonly name: string
  /** The largest packet the device was opened for, in bytes. */
  readonly mtu: number
  /** Resolves when the device is closed: with nothing after {@link TunDevice.close}, with the reason when it was lost. */
  readonly closed: Promise<TunError | undefined>
  /**
   * Sets who gets the packets the host sends. Packets sent before this was first called wait, as far as the
   * device has room, else they are dropped and counted. A second call replaces the first sink. The batch is
   * lent until the sink returns.
   */
  onPackets(sink: PacketSink): void
  /**
   * Gives packets to the host, in order, and returns how many it took. A refused packet is dropped and counted;
   * the rest go on. The batch is free again when the call returns. Never throws; after close nothing is taken.
   */
  write(batch: PacketBatch): number
  /** Returns the counts so far, also after close. */
  counters(): TunCounters
  /** Closes the device; no sink is called once the promise resolves. Harmless when called again. */
  close(): Promise<void>
}
