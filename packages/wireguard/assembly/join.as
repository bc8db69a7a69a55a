// Joins packets of one TCP flow that came together (src/linux/coalescer.ts says why and what for). A flow's super-packet is
// the first packet's header and a list of payloads, which stands in the columns of its out; nothing is copied. Only what
// cutting it up again would give back exactly is joined, and only packets whose own checksum holds.
import { batch, columns, lies } from './batch'
import { checksum, pseudoHeaderSum } from './checksum'
import {
  ENTRY_OFFSET,
  ENTRY_RESULT,
  ENTRY_STRIDE,
  FLOW_STRIDE,
  FLOWS,
  JOB,
  MAX_PIECES,
} from './layout'

/** A flow, in words. */
const FLOW_OUT: usize = 0
const FLOW_AT: usize = 4
const FLOW_PEER: usize = 8
const FLOW_IS_V4: usize = 12
const FLOW_TRANSPORT: usize = 16
const FLOW_HEADERS: usize = 20
/** Bytes of payload in each packet; 0 in a place that holds no flow. */
const FLOW_SEGMENT: usize = 24
const FLOW_LENGTH: usize = 28
const FLOW_NEXT: usize = 32
const FLOW_OPEN: usize = 36

const MAX_LENGTH: u32 = 65535
const TCP: u8 = 6
const IPV6_HEADER: u32 = 40
const ACK: u32 = 0x10
const PSH: u8 = 0x08
const VIRTIO_LENGTH: usize = 10
const NEEDS_CHECKSUM: u8 = 1
const GSO_TCP_V4: u8 = 1
const GSO_TCP_V6: u8 = 4

let nextFlow: usize = FLOWS

// @ts-ignore: decorator
@inline
function load16(at: usize): u32 {
  return <u32>bswap<u16>(load<u16>(at))
}

// @ts-ignore: decorator
@inline
function store16(at: usize, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value))
}

// @ts-ignore: decorator
@inline
function piecesOf(out: u32): usize {
  return columns + out * 4
}

/** Whether it is a whole TCP packet with plain IP headers: no options, no extensions, no fragment. */
// @ts-ignore: decorator
@inline
function isTcp(at: usize, length: u32): bool {
  const first = load<u8>(at)
  if (first == 0x45) return length >= 40 && load<u8>(at, 9) == TCP && (load<u16>(at, 6) & 0xff3f) == 0
  return first >> 4 == 6 && length >= IPV6_HEADER + 20 && load<u8>(at, 6) == TCP
}

/** The length that the packet says of itself; 0 when it is none, or claims more than there is. */
// @ts-ignore: decorator
@inline
function innerLength(at: usize, length: u32): u32 {
  const first = load<u8>(at)
  let whole: u32 = 0
  if (first >> 4 == 4 && length >= 20) {
    const headers = <u32>(first & 15) * 4
    const total = load16(at + 2)
    if (headers >= 20 && total >= headers) whole = total
  } else if (first >> 4 == 6 && length >= IPV6_HEADER) whole = load16(at + 4) + IPV6_HEADER
  return whole <= length ? whole : 0
}

/**
 * Adds opened packets of a peer to super-packets of their flows: entries from `first` on, up to the first that continues
 * none or holds nothing, whose number it returns; `count` when all were added.
 */
export function joinRun(table: usize, first: u32, count: u32, peer: u32): u32 {
  for (let i = first; i < count; i++) {
    const entry = table + i * ENTRY_STRIDE
    const result = load<i32>(entry, ENTRY_RESULT)
    if (result <= 0 || !lies(entry, result, 0)) return i
    const at = load<u32>(entry, ENTRY_OFFSET)
    const length = innerLength(at, result)
    if (length == 0 || !isTcp(at, length) || !join(at, length, peer)) return i
  }
  return count
}

function join(at: usize, length: u32, peer: u32): bool {
  const flow = find(at, peer)
  if (flow == 0) return false
  const headers = load<u32>(flow, FLOW_HEADERS)
  if (length > headers && continues(flow, at, length) && sumHolds(flow, at, length)) {
    append(flow, at, length - headers)
    return true
  }
  store<u32>(flow, 0, FLOW_OPEN) // what comes now stands behind it, and order is kept within a flow
  return false
}

function find(at: usize, peer: u32): usize {
  const isV4: u32 = load<u8>(at) >> 4 == 4 ? 1 : 0
  for (let flow = FLOWS; flow < JOB; flow += FLOW_STRIDE) {
    if (load<u32>(flow, FLOW_OPEN) == 0 || load<u32>(flow, FLOW_PEER) != peer) continue
    if (load<u32>(flow, FLOW_IS_V4) == isV4 && sameFlow(load<u32>(flow, FLOW_AT), at, isV4)) return flow
  }
  return 0
}

/** Addresses and ports. */
// @ts-ignore: decorator
@inline
function sameFlow(there: usize, here: usize, isV4: u32): bool {
  if (isV4) return load<u64>(there, 12) == load<u64>(here, 12) && load<u32>(there, 20) == load<u32>(here, 20)
  const sources = v128.xor(v128.load(there, 8), v128.load(here, 8))
  const destinations = v128.xor(v128.load(there, 24), v128.load(here, 24))
  if (v128.any_true(v128.or(sources, destinations))) return false
  return load<u32>(there, 40) == load<u32>(here, 40)
}

/** The next bytes of the flow, under headers that say the same otherwise. */
function continues(flow: usize, at: usize, length: u32): bool {
  const transport = load<u32>(flow, FLOW_TRANSPORT)
  const headers = load<u32>(flow, FLOW_HEADERS)
  const first = load<u32>(flow, FLOW_AT)
  const there = first + transport
  const here = at + transport
  const size = length - headers
  if (bswap<u32>(load<u32>(here, 4)) != load<u32>(flow, FLOW_NEXT)) return false
  if (size > load<u32>(flow, FLOW_SEGMENT)) return false
  if (load<u32>(flow, FLOW_LENGTH) + size > MAX_LENGTH) return false
  if (load<u32>(piecesOf(load<u32>(flow, FLOW_OUT))) >= MAX_PIECES) return false
  if ((<u32>load<u8>(here, 13) & ~(<u32>PSH)) != ACK) return false
  if (!sameNetworkHeader(flow, first, at)) return false
  // Acknowledgement, header length and options, window: the checksum and the urgent pointer stand between.
  if (load<u32>(there, 8) != load<u32>(here, 8) || load<u8>(there, 12) != load<u8>(here, 12)) return false
  if (load<u16>(there, 14) != load<u16>(here, 14)) return false
  for (let i: u32 = 20; i < headers - transport; i += 4) {
    if (load<u32>(there + i) != load<u32>(here + i)) return false
  }
  return true
}

/** Traffic class, hop limit, and for IPv4 whether it may be fragmented. */
// @ts-ignore: decorator
@inline
function sameNetworkHeader(flow: usize, there: usize, here: usize): bool {
  if (load<u32>(flow, FLOW_IS_V4) == 0)
    return load<u32>(there) == load<u32>(here) && load<u8>(there, 7) == load<u8>(here, 7)
  if (load<u8>(there, 1) != load<u8>(here, 1) || load<u8>(there, 8) != load<u8>(here, 8)) return false
  return load<u16>(there, 6) == load<u16>(here, 6)
}

function sumHolds(flow: usize, at: usize, length: u32): bool {
  const transport = load<u32>(flow, FLOW_TRANSPORT)
  const isV4 = load<u32>(flow, FLOW_IS_V4)
  if (isV4 && checksum(at, transport, 0) != 0) return false
  const size = length - transport
  return checksum(at + transport, size, pseudo(at, isV4, size)) == 0
}

// @ts-ignore: decorator
@inline
function pseudo(at: usize, isV4: u32, size: u32): u32 {
  return isV4 ? pseudoHeaderSum(at + 12, 8, TCP, size) : pseudoHeaderSum(at + 8, 32, TCP, size)
}

// @ts-ignore: decorator
@inline
function append(flow: usize, at: usize, size: u32): void {
  const out = load<u32>(flow, FLOW_OUT)
  const piece = load<u32>(piecesOf(out))
  const offsets = columns + batch * 8 + (out * MAX_PIECES + piece) * 4
  store<u32>(offsets, <u32>at + load<u32>(flow, FLOW_HEADERS))
  store<u32>(offsets + batch * MAX_PIECES * 4, size)
  store<u32>(piecesOf(out), piece + 1)
  store<u32>(flow, load<u32>(flow, FLOW_LENGTH) + size, FLOW_LENGTH)
  store<u32>(flow, load<u32>(flow, FLOW_NEXT) + size, FLOW_NEXT)
  const transport = load<u32>(flow, FLOW_TRANSPORT)
  const pushes = load<u8>(at + transport, 13) & PSH
  if (pushes) {
    const into = load<u32>(flow, FLOW_AT) + transport
    store<u8>(into, load<u8>(into, 13) | PSH, 13)
  }
  // A short one is the last of its kind, and one that pushes wants to be delivered.
  if (size < load<u32>(flow, FLOW_SEGMENT) || pushes) store<u32>(flow, 0, FLOW_OPEN)
}

/** Begins a flow with out number `out`, a packet of `length` bytes at `at`, if it is one that others may join. */
export function beginFlow(out: u32, at: usize, length: u32, peer: u32): void {
  if (!isTcp(at, length)) return
  const isV4: u32 = load<u8>(at) >> 4 == 4 ? 1 : 0
  const transport: u32 = isV4 ? 20 : IPV6_HEADER
  const headers = transport + <u32>(load<u8>(at + transport, 12) >> 4) * 4
  if (headers < transport + 20 || headers >= length || <u32>load<u8>(at + transport, 13) != ACK) return
  const flow = nextFlow
  nextFlow = flow + FLOW_STRIDE < JOB ? flow + FLOW_STRIDE : FLOWS
  writeHeaders(flow)
  store<u32>(flow, out, FLOW_OUT)
  store<u32>(flow, <u32>at, FLOW_AT)
  store<u32>(flow, peer, FLOW_PEER)
  store<u32>(flow, isV4, FLOW_IS_V4)
  store<u32>(flow, transport, FLOW_TRANSPORT)
  store<u32>(flow, headers, FLOW_HEADERS)
  store<u32>(flow, length - headers, FLOW_SEGMENT)
  store<u32>(flow, length, FLOW_LENGTH)
  store<u32>(flow, bswap<u32>(load<u32>(at + transport, 4)) + length - headers, FLOW_NEXT)
  store<u32>(flow, sumHolds(flow, at, length) ? 1 : 0, FLOW_OPEN)
}

/** Writes the headers of all that was joined, and forgets the flows. */
export function finishFlows(): void {
  for (let flow = FLOWS; flow < JOB; flow += FLOW_STRIDE) {
    writeHeaders(flow)
    store<u32>(flow, 0, FLOW_OPEN)
    store<u32>(flow, 0, FLOW_SEGMENT)
  }
}

function writeHeaders(flow: usize): void {
  const segment = load<u32>(flow, FLOW_SEGMENT)
  if (segment == 0 || load<u32>(piecesOf(load<u32>(flow, FLOW_OUT))) < 2) return
  const at = <usize>load<u32>(flow, FLOW_AT)
  const isV4 = load<u32>(flow, FLOW_IS_V4)
  const transport = load<u32>(flow, FLOW_TRANSPORT)
  const length = load<u32>(flow, FLOW_LENGTH)
  const virtio = at - VIRTIO_LENGTH
  store<u8>(virtio, NEEDS_CHECKSUM)
  store<u8>(virtio, isV4 ? GSO_TCP_V4 : GSO_TCP_V6, 1)
  store<u16>(virtio, <u16>load<u32>(flow, FLOW_HEADERS), 2)
  store<u16>(virtio, <u16>segment, 4)
  store<u16>(virtio, <u16>transport, 6)
  store<u16>(virtio, 16, 8)
  if (isV4) {
    store16(at + 2, length)
    store<u16>(at, 0, 10)
    store16(at + 10, checksum(at, 20, 0))
  } else store16(at + 4, length - IPV6_HEADER)
  store16(at + transport + 16, pseudo(at, isV4, length - transport))
}
