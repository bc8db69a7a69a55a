// What goes out: datagrams of one peer one behind the other, all of one length but the last, so that the kernel can be
// given a whole train in one call (UDP_SEGMENT).
import type { PeerId } from '../packet-batch.ts'

/** Datagrams in one train, as the kernel allows. */
export const MAX_TRAIN = 64
/** Bytes in one train: what a datagram may have, less room for headers. */
const MAX_TRAIN_BYTES = 65_000
const ALIGNMENT = 64

/** Trains in a range of the memory. Everything is numbers in columns; entries from `count` on mean nothing. */
export class Trains {
  /** How many there are. */
  count = 0
  /** Whose they are. */
  readonly peers: Int32Array
  /** Where they begin. */
  readonly offsets: Int32Array
  /** Bytes in all. */
  readonly bytes: Int32Array
  /** Bytes of each datagram; the last may have fewer. */
  readonly segments: Int32Array
  /** How many datagrams. */
  readonly datagrams: Int32Array
  readonly #from: number
  readonly #to: number
  #end: number
  #open = false
  /** Where the run claimed last begins. */
  at = 0

  constructor(from: number, to: number, capacity: number) {
    this.#from = from
    this.#to = to
    this.#end = from
    this.peers = new Int32Array(capacity)
    this.offsets = new Int32Array(capacity)
    this.bytes = new Int32Array(capacity)
    this.segments = new Int32Array(capacity)
    this.datagrams = new Int32Array(capacity)
  }

  /** Returns where the next datagram goes; -1 when there is no room before {@link clear}. */
  claim(peer: PeerId, length: number): number {
    const at = this.#open ? this.#extend(this.count - 1, peer, length) : -1
    return at >= 0 ? at : this.#start(peer, length)
  }

  /**
   * Makes room for up to `wanted` datagrams of one length, one behind the other in one train, the first at {@link at}.
   *
   * @returns how many; 0 when there is no room before {@link clear}.
   */
  claimRun(peer: PeerId, length: number, wanted: number): number {
    this.at = this.claim(peer, length)
    if (this.at < 0) return 0
    let claimed = 1
    while (claimed < wanted && this.#open && this.#extend(this.count - 1, peer, length) >= 0) claimed += 1
    return claimed
  }

  /** Forgets all. */
  clear(): void {
    this.count = 0
    this.#end = this.#from
    this.#open = false
  }

  #extend(train: number, peer: PeerId, length: number): number {
    const segment = this.segments[train] ?? 0
    const bytes = this.bytes[train] ?? 0
    const datagrams = this.datagrams[train] ?? 0
    if (this.peers[train] !== peer || length > segment || datagrams === MAX_TRAIN) return -1
    if (bytes + length > MAX_TRAIN_BYTES || this.#end + length > this.#to) return -1
    const at = this.#end
    this.bytes[train] = bytes + length
    this.datagrams[train] = datagrams + 1
    this.#end = at + length
    this.#open = length === segment
    return at
  }

  #start(peer: PeerId, length: number): number {
    const at = (this.#end + ALIGNMENT - 1) & -ALIGNMENT
    if (this.count === this.peers.length || at + length > this.#to) return -1
    const train = this.count
    this.count += 1
    this.peers[train] = peer
    this.offsets[train] = at
    this.bytes[train] = length
    this.segments[train] = length
    this.datagrams[train] = 1
    this.#end = at + length
    this.#open = true
    return at
  }
}
