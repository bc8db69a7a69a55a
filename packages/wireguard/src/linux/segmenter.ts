// Cuts what a TUN with offloads hands over into the packets it stands for. A super-packet is up to 64 KiB of one TCP or
// UDP flow under one header; each piece gets that header with its own lengths, number and checksum, as the kernel's own
// segmentation would do it. Nothing in the headers is believed: what does not add up is refused whole.
import type { WasmAead } from '../wasm/index.ts'
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
const UDP_CHECKSUM = 6
const TCP_CHECKSUM = 16
const TCP_FLAGS = 13
const TCP_FIN_PSH = 0x09
const TCP_CWR = 0x80
/** No kernel cuts into smaller pieces than this; a header that says so lies. */
const MIN_GSO_SIZE = 8

/** Reads one packet with its header at a time, then hands out what it stands for. */
export class Segmenter {
  readonly #aead: WasmAead
  readonly #bytes: Uint8Array
  readonly #view: DataView
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

  /** Hands out the packet, or its pieces. */
  emit(sink: SegmentSink): void {
    if (this.#kind === GSO_NONE) return this.#emitWhole(sink)
    const { at, length } = this
    const isV4 = this.#kind === GSO_TCP_V4 || (this.#kind === GSO_UDP && this.#version() === 4)
    const udp = this.#kind === GSO_UDP
    const header = this.#header
    const transport = this.#transport
    const addresses = isV4 ? at + 12 : at + 8
    const protocol = udp ? PROTOCOL_UDP : PROTOCOL_TCP
    const pseudo = this.#aead.pseudoHeaderSum(addresses, isV4 ? 8 : 32, protocol, 0)
    const last = length - header
    for (let from = 0, index = 0; from < last; from += this.#gsoSize, index += 1) {
      const size = Math.min(this.#gsoSize, last - from)
      const into = sink.claim(header + size)
      if (into < 0) continue
      this.#bytes.copyWithin(into, at, at + header)
      this.#bytes.copyWithin(into + header, at + header + from, at + header + from + size)
      if (isV4) this.#finishV4(into, header + size, transport, index)
      else this.#view.setUint16(into + 4, header + size - IPV6_HEADER)
      if (udp) this.#finishUdp(into + transport, UDP_HEADER + size, pseudo)
      else this.#finishTcp(into + transport, header - transport + size, pseudo, from, from + size === last)
      sink.commit()
    }
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

  #finishV4(into: number, length: number, header: number, index: number): void {
    const view = this.#view
    view.setUint16(into + 2, length)
    view.setUint16(into + 4, view.getUint16(this.at + 4) + index)
    view.setUint16(into + 10, 0)
    view.setUint16(into + 10, this.#aead.checksum(into, header))
  }

  #finishUdp(into: number, length: number, pseudo: number): void {
    this.#view.setUint16(into + 4, length)
    this.#view.setUint16(into + UDP_CHECKSUM, 0)
    const sum = this.#aead.checksum(into, length, pseudo + length)
    this.#view.setUint16(into + UDP_CHECKSUM, sum === 0 ? 0xffff : sum)
  }

  /** FIN and PSH belong to the last piece, CWR to the first. */
  #finishTcp(into: number, length: number, pseudo: number, from: number, isLast: boolean): void {
    const view = this.#view
    view.setUint32(into + 4, view.getUint32(into + 4) + from)
    let flags = this.#bytes[into + TCP_FLAGS] ?? 0
    if (!isLast) flags &= ~TCP_FIN_PSH
    if (from > 0) flags &= ~TCP_CWR
    this.#bytes[into + TCP_FLAGS] = flags
    view.setUint16(into + TCP_CHECKSUM, 0)
    view.setUint16(into + TCP_CHECKSUM, this.#aead.checksum(into, length, pseudo + length))
  }
}
