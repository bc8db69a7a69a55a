// Cuts what a TUN with offloads hands over into the packets it stands for. A super-packet is up to 64 KiB of one TCP or
// UDP flow under one header; each piece gets that header with its own lengths, number and checksum, as the kernel's own
// segmentation would do it. Nothing in the headers is believed: what does not add up is refused whole. The cutting itself
// is WebAssembly's (assembly/cut.as).
import type { WasmAead } from '../wasm/index.ts'
import { JOB } from '../wasm/layout.ts'
import {
  GSO_ECN,
  GSO_NONE,
  GSO_TCP_V4,
  GSO_TCP_V6,
  GSO_UDP,
  VIRTIO_CHECKSUM_OFFSET,
  VIRTIO_CHECKSUM_START,
  VIRTIO_FLAGS,
  VIRTIO_GSO,
  VIRTIO_GSO_SIZE,
  VIRTIO_LENGTH,
  VIRTIO_NEEDS_CHECKSUM,
} from './virtio-header.ts'

/** Takes the packets, one after another. */
export interface SegmentSink {
  /** Returns where in the memory a packet of this length goes; -1 to lose it. */
  claim(length: number): number
  /** Hears that the packet claimed last has been written. */
  commit(): void
}

const PROTOCOL_TCP = 6
const PROTOCOL_UDP = 17
const IPV6_HEADER = 40
const UDP_HEADER = 8
/** No kernel cuts into smaller pieces than this; a header that says so lies. */
const MIN_GSO_SIZE = 8

/** The job's words, as assembly/cut.as reads them. */
const JOB_FROM = 0
const JOB_WHOLE = 1
const JOB_HEADERS = 2
const JOB_TRANSPORT = 3
const JOB_PIECE = 4
const JOB_KIND = 5
const JOB_PSEUDO = 6
const JOB_MTU = 7
const JOB_RECEIVER = 8
const JOB_SLOT = 9
const JOB_COUNTER = 10
const JOB_WORDS = 12
const IS_V4 = 1
const IS_UDP = 2

/** Reads one packet with its header at a time, then hands out what it stands for. */
export class Segmenter {
  readonly #aead: WasmAead
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #job: Uint32Array
  /** Where the packet begins. */
  at = 0
  /** Its length. */
  length = 0
  #kind = GSO_NONE
  #gsoSize = 0
  #transport = 0
  #header = 0

  constructor(aead: WasmAead) {
    this.#aead = aead
    this.#bytes = aead.arena.bytes
    this.#view = new DataView(this.#bytes.buffer)
    this.#job = new Uint32Array(this.#bytes.buffer, JOB, JOB_WORDS)
  }

  /** Looks at `length` bytes at `at`, header and packet. `false` when they contradict themselves or are no IP packet. */
  read(at: number, length: number): boolean {
    this.at = at + VIRTIO_LENGTH
    this.length = length - VIRTIO_LENGTH
    this.#kind = (this.#bytes[at + VIRTIO_GSO] ?? 0) & ~GSO_ECN
    if (!this.#readLengths()) return false
    if (this.#kind !== GSO_NONE) return this.#readOffload(at)
    return ((this.#bytes[at + VIRTIO_FLAGS] ?? 0) & VIRTIO_NEEDS_CHECKSUM) === 0 || this.#addChecksum(at)
  }

  /** How many packets it stands for. */
  get pieces(): number {
    return this.#kind === GSO_NONE ? 1 : Math.ceil((this.length - this.#header) / this.#gsoSize)
  }

  /** The length of every piece but the last, which may be shorter. */
  get pieceLength(): number {
    return this.#kind === GSO_NONE ? this.length : Math.min(this.length, this.#header + this.#gsoSize)
  }

  /** The length of the last piece. */
  get lastLength(): number {
    return this.length - (this.pieces - 1) * (this.pieceLength - this.#header)
  }

  /** Whether the kernel left the cutting to us. */
  get isSuper(): boolean {
    return this.#kind !== GSO_NONE
  }

  /** Hands out the packet, or its pieces. */
  emit(sink: SegmentSink): void {
    if (this.#kind === GSO_NONE) return this.#emitWhole(sink)
    const { pieces } = this
    this.#writeJob()
    for (let index = 0; index < pieces; index += 1) {
      const length = index < pieces - 1 ? this.pieceLength : this.lastLength
      const into = sink.claim(length)
      if (into < 0) continue
      this.#aead.cutPiece(index, into)
      sink.commit()
    }
  }

  /** Readies {@link cut}: the pieces become datagrams for this receiver, the first with this counter. Only for super-packets. */
  aim(receiver: number, slot: number, mtu: number, counterHigh: number, counterLow: number): void {
    this.#writeJob()
    const job = this.#job
    job[JOB_MTU] = mtu
    job[JOB_RECEIVER] = receiver
    job[JOB_SLOT] = slot
    job[JOB_COUNTER] = counterLow
    job[JOB_COUNTER + 1] = counterHigh
  }

  /**
   * Lays pieces `first` to `first + count - 1` as datagrams one behind the other at `into`, headers and all, and enters them
   * in the table from `entry` on.
   */
  cut(first: number, count: number, into: number, entry: number): void {
    const laid = this.#aead.cutPieces(first, count, into, entry)
    if (laid !== count) throw new RangeError('cut: no room where there was to be some')
  }

  #writeJob(): void {
    const { at } = this
    const isV4 = this.#version() === 4
    const udp = this.#kind === GSO_UDP
    const job = this.#job
    job[JOB_FROM] = at
    job[JOB_WHOLE] = this.length
    job[JOB_HEADERS] = this.#header
    job[JOB_TRANSPORT] = this.#transport
    job[JOB_PIECE] = this.#gsoSize
    job[JOB_KIND] = (isV4 ? IS_V4 : 0) | (udp ? IS_UDP : 0)
    job[JOB_PSEUDO] = this.#aead.pseudoHeaderSum(
      isV4 ? at + 12 : at + 8,
      isV4 ? 8 : 32,
      udp ? PROTOCOL_UDP : PROTOCOL_TCP,
      0,
    )
  }

  #emitWhole(sink: SegmentSink): void {
    const into = sink.claim(this.length)
    if (into < 0) return
    this.#bytes.copyWithin(into, this.at, this.at + this.length)
    sink.commit()
  }

  #version(): number {
    return (this.#bytes[this.at] ?? 0) >> 4
  }

  /** The IP header's own length must be what was read; a packet alone may have something behind it. */
  #readLengths(): boolean {
    const { at, length } = this
    const version = this.#version()
    const minimum = version === 4 ? 20 : version === 6 ? IPV6_HEADER : Infinity
    if (!(length >= minimum)) return false
    const claimed = version === 4 ? this.#view.getUint16(at + 2) : this.#view.getUint16(at + 4) + IPV6_HEADER
    if (claimed < minimum || claimed > length) return false
    if (this.#kind !== GSO_NONE) return claimed === length
    this.length = claimed
    return true
  }

  #readOffload(virtio: number): boolean {
    const { at, length } = this
    const bytes = this.#bytes
    const isV4 = this.#version() === 4
    const udp = this.#kind === GSO_UDP
    if (!udp && this.#kind !== (isV4 ? GSO_TCP_V4 : GSO_TCP_V6)) return false
    const protocol = isV4 ? bytes[at + 9] : bytes[at + 6]
    if (protocol !== (udp ? PROTOCOL_UDP : PROTOCOL_TCP)) return false
    // A piece of a fragment has no transport header of its own.
    if (isV4 && (this.#view.getUint16(at + 6) & 0x3fff) !== 0) return false
    this.#transport = isV4 ? ((bytes[at] ?? 0) & 15) * 4 : IPV6_HEADER
    if (this.#transport < 20 || this.#transport + 20 > length + (udp ? 12 : 0)) return false
    const transportHeader = udp ? UDP_HEADER : ((bytes[at + this.#transport + 12] ?? 0) >> 4) * 4
    this.#header = this.#transport + transportHeader
    this.#gsoSize = this.#view.getUint16(virtio + VIRTIO_GSO_SIZE, true)
    if (!udp && transportHeader < 20) return false
    return this.#header < length && this.#gsoSize >= MIN_GSO_SIZE
  }

  /** The kernel summed the pseudo header and left the rest to us. */
  #addChecksum(virtio: number): boolean {
    const start = this.#view.getUint16(virtio + VIRTIO_CHECKSUM_START, true)
    const field = start + this.#view.getUint16(virtio + VIRTIO_CHECKSUM_OFFSET, true)
    if (start < 20 || field + 2 > this.length) return false
    const sum = this.#aead.checksum(this.at + start, this.length - start)
    this.#view.setUint16(this.at + field, sum === 0 ? 0xffff : sum)
    return true
  }
}
