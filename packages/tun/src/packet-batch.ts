// A batch of packets in one buffer: how packets cross the device's seat without an object for each of them.
// The shape is that of the data plane's own batch, so one may be passed where the other is asked for.

/**
 * Some packets in one buffer. Packet `i` is `bytes.subarray(offsets[i], offsets[i] + lengths[i])` for
 * `0 <= i < count`; entries past `count` mean nothing. A batch is lent: its maker uses it again as soon as the
 * call that passed it returns, so whoever wants to keep a packet copies it.
 */
export interface PacketBatch {
  /** The buffer that holds every packet. */
  readonly bytes: Uint8Array
  /** Where each packet starts in `bytes`. */
  readonly offsets: Int32Array
  /** How long each packet is, in bytes. */
  readonly lengths: Int32Array
  /** How many packets there are. */
  readonly count: number
}

/** Takes a lent batch. Must be done with it, or have copied it, on return. */
export type PacketSink = (batch: PacketBatch) => void

/** Returns packet `index` of a batch as a view of its buffer. */
export function packetAt(batch: PacketBatch, index: number): Uint8Array {
  const offset = batch.offsets[index] ?? 0
  return batch.bytes.subarray(offset, offset + (batch.lengths[index] ?? 0))
}

/** Returns a batch of copies of the given packets. */
export function batchOf(packets: readonly Uint8Array[]): PacketBatch {
  const lengths = Int32Array.from(packets, (packet) => packet.length)
  const offsets = new Int32Array(packets.length)
  let size = 0
  for (const [index, packet] of packets.entries()) {
    offsets[index] = size
    size += packet.length
  }
  const bytes = new Uint8Array(size)
  for (const [index, packet] of packets.entries()) bytes.set(packet, offsets[index])
  return { bytes, offsets, lengths, count: packets.length }
}

/** Returns copies of all packets of a batch, for whoever must keep them. */
export function packetsOf(batch: PacketBatch): Uint8Array[] {
  return Array.from({ length: batch.count }, (_, index) => packetAt(batch, index).slice())
}
