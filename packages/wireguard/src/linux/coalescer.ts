// Joins packets of one TCP flow that came together into super-packets, so that the kernel's stack is walked once for
// dozens of them. Nothing is copied: a super-packet is the first packet's header, with a virtio header in front of it,
// and a list of payloads. Only what cutting it up again would give back exactly is joined, and only packets whose own
// checksum holds, for the kernel will not look any more.
import type { WasmAead } from '../wasm/index.ts'
import {
  GSO_TCP_V4,
  GSO_TCP_V6,
  VIRTIO_CHECKSUM_OFFSET,
  VIRTIO_CHECKSUM_START,
  VIRTIO_FLAGS,
  VIRTIO_GSO,
  VIRTIO_GSO_SIZE,
  VIRTIO_HEADER_LENGTH,
  VIRTIO_LENGTH,
  VIRTIO_NEEDS_CHECKSUM,
} from './virtio-header.ts'

/** Pieces of one super-packet at most: the first packet, and 64 more payloads. */
export const MAX_PIECES = 65
/** A super-packet's length field has 16 bits. */
const MAX_LENGTH = 65_535
const FLOWS = 8

const PROTOCOL_TCP = 6
const IPV6_HEADER = 40
const TCP_ACK = 0x10
const TCP_PSH = 0x08
const TCP_CHECKSUM = 16

/** A super-packet that may grow. */
interface Flow {
  out: number
  at: number
  peer: number
  isV4: boolean
  transport: number
  header: number
  segment: number
  length: number
  next: number
  open: boolean
}

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
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #flows: Flow[]
  #nextFlow = 0

  constructor(aead: WasmAead, capacity: number) {
    this.#aead = aead
    this.#bytes = aead.arena.bytes
    this.#view = new DataView(this.#bytes.buffer)
    this.peers = new Int32Array(capacity)
    this.pieces = new Int32Array(capacity)
    this.offsets = new Int32Array(capacity * MAX_PIECES)
    this.lengths = new Int32Array(capacity * MAX_PIECES)
    this.#flows = Array.from({ length: FLOWS }, () => ({
      out: 0,
      at: 0,
      peer: 0,
      isV4: true,
      transport: 0,
      header: 0,
      segment: 0,
      length: 0,
      next: 0,
      open: false,
    }))
  }

  /** Whether there is no room for one more. */
  get full(): boolean {
    return this.count === this.pieces.length
  }

  /**
   * Adds a packet to a super-packet of its flow, when there is one that it continues.
   *
   * @param at - An IP packet whose length was checked, with 10 bytes in front of it that may be overwritten.
   */
  join(at: number, length: number, peer: number): boolean {
    if (!isTcp(this.#bytes, at, length)) return false
    const flow = this.#find(at, peer)
    if (flow === undefined) return false
    const size = length - flow.header
    if (
      this.#continues(flow, at, length) &&
      size > 0 &&
      size <= flow.segment &&
      this.#sumHolds(flow, at, length)
    ) {
      this.#append(flow, at, size)
      return true
    }
    flow.open = false // what comes now stands behind it, and order is kept within a flow
    return false
  }

  /** Adds a packet by itself; later ones may join it. Requires room. */
  add(at: number, length: number, peer: number): void {
    const out = this.count
    this.count += 1
    this.#bytes.fill(0, at - VIRTIO_LENGTH, at)
    this.offsets[out * MAX_PIECES] = at - VIRTIO_LENGTH
    this.lengths[out * MAX_PIECES] = length + VIRTIO_LENGTH
    this.peers[out] = peer
    this.pieces[out] = 1
    this.#begin(out, at, length, peer)
  }

  /** Writes the headers of what was joined. */
  finish(): void {
    for (const flow of this.#flows) {
      if (flow.segment > 0 && (this.pieces[flow.out] ?? 0) > 1) this.#writeHeaders(flow)
      flow.open = false
      flow.segment = 0
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.count = 0
  }

  #begin(out: number, at: number, length: number, peer: number): void {
    const bytes = this.#bytes
    if (!isTcp(bytes, at, length)) return
    const isV4 = (bytes[at] ?? 0) >> 4 === 4
    const transport = isV4 ? 20 : IPV6_HEADER
    const header = transport + ((bytes[at + transport + 12] ?? 0) >> 4) * 4
    const flags = bytes[at + transport + 13] ?? 0
    if (header < transport + 20 || header >= length || flags !== TCP_ACK) return
    const flow = this.#claimFlow()
    flow.out = out
    flow.at = at
    flow.peer = peer
    flow.isV4 = isV4
    flow.transport = transport
    flow.header = header
    flow.segment = length - header
    flow.length = length
    flow.next = (this.#view.getUint32(at + transport + 4) + length - header) >>> 0
    flow.open = this.#sumHolds(flow, at, length)
  }

  /** A place for a flow: a closed one, else the oldest, which then grows no more. */
  #claimFlow(): Flow {
    const index = this.#nextFlow
    this.#nextFlow = (index + 1) % FLOWS
    const flow = this.#flows[index] as Flow
    if (flow.segment > 0 && (this.pieces[flow.out] ?? 0) > 1) this.#writeHeaders(flow)
    return flow
  }

  #find(at: number, peer: number): Flow | undefined {
    const isV4 = (this.#bytes[at] ?? 0) >> 4 === 4
    for (const flow of this.#flows) {
      if (flow.open && flow.peer === peer && flow.isV4 === isV4 && this.#sameFlow(flow, at)) return flow
    }
    return undefined
  }

  /** Addresses and ports. */
  #sameFlow(flow: Flow, at: number): boolean {
    const view = this.#view
    const from = flow.isV4 ? 12 : 8
    for (let i = from; i < flow.transport; i += 4) {
      if (view.getUint32(flow.at + i) !== view.getUint32(at + i)) return false
    }
    return view.getUint32(flow.at + flow.transport) === view.getUint32(at + flow.transport)
  }

  /** The next bytes of the flow, under headers that say the same otherwise. */
  #continues(flow: Flow, at: number, length: number): boolean {
    const view = this.#view
    const bytes = this.#bytes
    const { transport } = flow
    const there = flow.at + transport
    const here = at + transport
    if (view.getUint32(here + 4) !== flow.next || length <= flow.header) return false
    if (flow.length + length - flow.header > MAX_LENGTH) return false
    if ((this.pieces[flow.out] ?? 0) >= MAX_PIECES) return false
    if (((bytes[here + 13] ?? 0) & ~TCP_PSH) !== TCP_ACK) return false
    if (!this.#sameNetworkHeader(flow, at)) return false
    // Acknowledgement, header length and options, window: the checksum and the urgent pointer stand between.
    if (view.getUint32(there + 8) !== view.getUint32(here + 8) || bytes[there + 12] !== bytes[here + 12])
      return false
    if (view.getUint16(there + 14) !== view.getUint16(here + 14)) return false
    for (let i = 20; i < flow.header - transport; i += 4) {
      if (view.getUint32(there + i) !== view.getUint32(here + i)) return false
    }
    return true
  }

  /** Traffic class, hop limit, and for IPv4 whether it may be fragmented. */
  #sameNetworkHeader(flow: Flow, at: number): boolean {
    const view = this.#view
    const bytes = this.#bytes
    if (!flow.isV4) {
      return view.getUint32(flow.at) === view.getUint32(at) && bytes[flow.at + 7] === bytes[at + 7]
    }
    return (
      bytes[flow.at + 1] === bytes[at + 1] &&
      bytes[flow.at + 8] === bytes[at + 8] &&
      view.getUint16(flow.at + 6) === view.getUint16(at + 6)
    )
  }

  #sumHolds(flow: Flow, at: number, length: number): boolean {
    const { transport, isV4 } = flow
    const size = length - transport
    if (isV4 && this.#aead.checksum(at, transport) !== 0) return false
    const addresses = isV4 ? at + 12 : at + 8
    const pseudo = this.#aead.pseudoHeaderSum(addresses, isV4 ? 8 : 32, PROTOCOL_TCP, size)
    return this.#aead.checksum(at + transport, size, pseudo) === 0
  }

  #append(flow: Flow, at: number, size: number): void {
    const piece = this.pieces[flow.out] ?? 0
    this.offsets[flow.out * MAX_PIECES + piece] = at + flow.header
    this.lengths[flow.out * MAX_PIECES + piece] = size
    this.pieces[flow.out] = piece + 1
    flow.length += size
    flow.next = (flow.next + size) >>> 0
    const flags = this.#bytes[at + flow.transport + 13] ?? 0
    if ((flags & TCP_PSH) !== 0) {
      const into = flow.at + flow.transport + 13
      this.#bytes[into] = (this.#bytes[into] ?? 0) | TCP_PSH
    }
    // A short one is the last of its kind, and one that pushes wants to be delivered.
    if (size < flow.segment || (flags & TCP_PSH) !== 0) flow.open = false
  }

  #writeHeaders(flow: Flow): void {
    const view = this.#view
    const { at, isV4, transport, length } = flow
    const virtio = at - VIRTIO_LENGTH
    this.#bytes[virtio + VIRTIO_FLAGS] = VIRTIO_NEEDS_CHECKSUM
    this.#bytes[virtio + VIRTIO_GSO] = isV4 ? GSO_TCP_V4 : GSO_TCP_V6
    view.setUint16(virtio + VIRTIO_HEADER_LENGTH, flow.header, true)
    view.setUint16(virtio + VIRTIO_GSO_SIZE, flow.segment, true)
    view.setUint16(virtio + VIRTIO_CHECKSUM_START, transport, true)
    view.setUint16(virtio + VIRTIO_CHECKSUM_OFFSET, TCP_CHECKSUM, true)
    if (isV4) {
      view.setUint16(at + 2, length)
      view.setUint16(at + 10, 0)
      view.setUint16(at + 10, this.#aead.checksum(at, 20))
    } else {
      view.setUint16(at + 4, length - IPV6_HEADER)
    }
    const addresses = isV4 ? at + 12 : at + 8
    const pseudo = this.#aead.pseudoHeaderSum(addresses, isV4 ? 8 : 32, PROTOCOL_TCP, length - transport)
    view.setUint16(at + transport + TCP_CHECKSUM, pseudo)
  }
}

/** A whole TCP packet with plain IP headers: no options, no extensions, no fragment. */
function isTcp(bytes: Uint8Array, at: number, length: number): boolean {
  const first = bytes[at] ?? 0
  if (first === 0x45) {
    const fragment = ((bytes[at + 6] ?? 0) & 0x3f) | (bytes[at + 7] ?? 0)
    return bytes[at + 9] === PROTOCOL_TCP && fragment === 0 && length >= 40
  }
  return first >> 4 === 6 && bytes[at + 6] === PROTOCOL_TCP && length >= IPV6_HEADER + 20
}
