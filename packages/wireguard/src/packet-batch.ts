// Batches: packets travel in columns of numbers beside one buffer, so that a packet costs no object. A batch is lent:
// whoever is given one reads it before returning, and copies what it wants to keep.

/** The number a peer goes by inside the data plane; the owner chooses it. Never negative. */
export type PeerId = number

/**
 * Some packets in one buffer. Packet `i` (`0 <= i < count`) is `bytes.subarray(offsets[i], offsets[i] + lengths[i])`;
 * what lies beyond `count` means nothing. Lent until the call that passes it returns.
 */
export interface PacketBatch {
  /** The buffer that holds every packet. */
  readonly bytes: Uint8Array
  /** Where each packet begins. */
  readonly offsets: Int32Array
  /** How many bytes each packet has. */
  readonly lengths: Int32Array
  /** How many packets there are. */
  readonly count: number
}

/** A batch whose packets each belong to a peer. */
export interface PeerBatch extends PacketBatch {
  /** The peer each packet came from. */
  readonly peers: Int32Array
}

/** A batch of datagrams from the network. */
export interface DatagramBatch extends PacketBatch {
  /**
   * Where each datagram came from: a number the owner chooses and gets back unread. Negative when there is nothing
   * to say. It need mean something only until the call returns.
   */
  readonly sources: Int32Array
}

/** Returns packet `index` of a batch as a view of its buffer. */
export function packetOf(batch: PacketBatch, index: number): Uint8Array {
  const offset = batch.offsets[index] ?? 0
  return batch.bytes.subarray(offset, offset + (batch.lengths[index] ?? 0))
}

/** Packets begin at multiples of this, so that ciphers may work on whole words. */
const ALIGNMENT = 16
const DEFAULT_CAPACITY = 128
const DEFAULT_BYTES = 256 * 1024

/** A batch that can be filled: the one to make where packets enter, and to use again after each hand-over. */
export class PacketBuffer implements PeerBatch, DatagramBatch {
  /** The buffer that holds every packet. */
  readonly bytes: Uint8Array
  /** Where each packet begins. */
  readonly offsets: Int32Array
  /** How many bytes each packet has. */
  readonly lengths: Int32Array
  /** The peer of each packet; -1 when none was said. */
  readonly peers: Int32Array
  /** The source of each packet; -1 when none was said. */
  readonly sources: Int32Array
  #count = 0
  #end = 0

  /**
   * @param capacity - Most packets at a time.
   * @param size - Bytes in the buffer; at least one packet's worth (64 KiB and a header for the largest).
   */
  constructor(capacity: number = DEFAULT_CAPACITY, size: number = DEFAULT_BYTES) {
    this.bytes = new Uint8Array(size)
    this.offsets = new Int32Array(capacity)
    this.lengths = new Int32Array(capacity)
    this.peers = new Int32Array(capacity)
    this.sources = new Int32Array(capacity)
  }

  /** How many packets there are. */
  get count(): number {
    return this.#count
  }

  /** Copies a packet in. `false`, and nothing done, when it does not fit. */
  push(packet: Uint8Array, peer: PeerId = -1, source: number = -1): boolean {
    const offset = this.claim(packet.length, peer, source)
    if (offset < 0) return false
    this.bytes.set(packet, offset)
    return true
  }

  /** Adds a packet of this length without writing it, and returns where it goes; -1 when it does not fit. */
  claim(length: number, peer: PeerId = -1, source: number = -1): number {
    const offset = this.#end
    if (this.#count === this.offsets.length || offset + length > this.bytes.length) return -1
    const index = this.#count
    this.offsets[index] = offset
    this.lengths[index] = length
    this.peers[index] = peer
    this.sources[index] = source
    this.#count = index + 1
    this.#end = (offset + length + ALIGNMENT - 1) & -ALIGNMENT
    return offset
  }

  /** Makes the last packet shorter: its tail is not part of it after all. */
  trim(length: number): void {
    if (this.#count > 0) this.lengths[this.#count - 1] = length
  }

  /** Takes the last packet away again. */
  retract(): void {
    if (this.#count === 0) return
    this.#count -= 1
    this.#end = this.offsets[this.#count] ?? 0
  }

  /** Makes the batch empty; its buffer is used again. */
  clear(): void {
    this.#count = 0
    this.#end = 0
  }
}
