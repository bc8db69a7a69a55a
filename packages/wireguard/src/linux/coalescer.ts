// Joins packets of one TCP flow that came together into super-packets, so that the kernel's stack is walked once for
// dozens of them. Nothing is copied: a super-packet is the first packet's header, with a virtio header in front of it,
// and a list of payloads. Only what cutting it up again would give back exactly is joined, and only packets whose own
// checksum holds, for the kernel will not look any more. The work on each packet is WebAssembly's (assembly/join.as).
import type { WasmAead } from '../wasm/index.ts'
import { MAX_PIECES } from '../wasm/layout.ts'
import { VIRTIO_LENGTH } from './virtio-header.ts'

export { MAX_PIECES }

/** Collects packets in order. Read the outs after {@link finish}; {@link clear} begins anew. */
export class Coalescer {
  /** How many packets and super-packets there are. */
  count = 0
  /** Whose each is. */
  readonly peers: Int32Array
  /** How many pieces each has. */
  readonly pieces: Int32Array
  /** Where piece `p` of out `o` begins: entry `o * MAX_PIECES + p`. The first begins with its virtio header. */
  readonly offsets: Int32Array
  /** How long the pieces are. */
  readonly lengths: Int32Array
  readonly #aead: WasmAead
  readonly #view: DataView

  /** There can be one to an arena. */
  constructor(aead: WasmAead) {
    const { memory, columns, table } = aead.arena
    const { capacity } = table
    this.#aead = aead
    this.#view = new DataView(memory.buffer)
    this.pieces = new Int32Array(memory.buffer, columns, capacity)
    this.peers = new Int32Array(memory.buffer, columns + capacity * 4, capacity)
    this.offsets = new Int32Array(memory.buffer, columns + capacity * 8, capacity * MAX_PIECES)
    this.lengths = new Int32Array(
      memory.buffer,
      columns + capacity * (8 + 4 * MAX_PIECES),
      capacity * MAX_PIECES,
    )
  }

  /** Whether there is no room for one more. */
  get full(): boolean {
    return this.count === this.pieces.length
  }

  /**
   * Adds opened packets of a peer to super-packets of their flows, as long as each continues one. They are entries of the
   * arena's table from `first` on whose results are their lengths; 10 bytes in front of each may be overwritten.
   *
   * @returns the first that continues none, or holds nothing; `count` when all were added.
   */
  join(first: number, count: number, peer: number): number {
    return this.#aead.joinRun(first, count, peer)
  }

  /** Adds a packet by itself; later ones may join it. Requires room, and 10 bytes in front of it. */
  add(at: number, length: number, peer: number): void {
    const out = this.count
    this.count += 1
    this.#view.setUint32(at - 10, 0)
    this.#view.setUint32(at - 6, 0)
    this.#view.setUint16(at - 2, 0)
    this.offsets[out * MAX_PIECES] = at - VIRTIO_LENGTH
    this.lengths[out * MAX_PIECES] = length + VIRTIO_LENGTH
    this.peers[out] = peer
    this.pieces[out] = 1
    this.#aead.beginFlow(out, at, length, peer)
  }

  /** Writes the headers of what was joined. */
  finish(): void {
    this.#aead.finishFlows()
  }

  /** Forgets everything. */
  clear(): void {
    this.count = 0
  }
}
