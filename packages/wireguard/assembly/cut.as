// Cuts a super-packet into the packets it stands for, as the kernel's own segmentation would do it, and lays them as the
// texts of datagrams. What there is to cut was read and checked by the caller (src/linux/segmenter.ts) and lies in the job:
// whatever it says, nothing is written outside the packet area, since each piece is checked against it.
import { lies } from './batch'
import { fold, sumLanes, sumWords } from './checksum'
import {
  ENTRY_COUNTER,
  ENTRY_KEY,
  ENTRY_LENGTH,
  ENTRY_OFFSET,
  ENTRY_STRIDE,
  JOB,
} from './layout'

/** The job, in words: where the packet lies and how long it is; its headers, all and the IP header; bytes in a piece. */
const FROM: usize = JOB
const WHOLE: usize = JOB + 4
const HEADERS: usize = JOB + 8
const TRANSPORT: usize = JOB + 12
const PIECE: usize = JOB + 16
const KIND: usize = JOB + 20
const PSEUDO: usize = JOB + 24
/** For datagrams: the overlay's MTU, the peer's index, the counter of the first piece, the key slot. */
const MTU: usize = JOB + 28
const RECEIVER: usize = JOB + 32
const SLOT: usize = JOB + 36
const COUNTER: usize = JOB + 40

const IS_V4: u32 = 1
const IS_UDP: u32 = 2
const TRANSPORT_DATA: u32 = 4
const FIN_PSH: u8 = 0x09
const CWR: u8 = 0x80

// @ts-ignore: decorator
@inline
function store16(at: usize, value: u32): void {
  store<u16>(at, bswap<u16>(<u16>value))
}

/** Copies, and returns the sum of the 16-bit words of exactly `length` bytes. */
// @ts-ignore: decorator
@inline
function copyAndSum(into: usize, from: usize, length: u32): u64 {
  let a = i64x2.splat(0)
  let b = i64x2.splat(0)
  let left = length
  for (; left >= 32; left -= 32, from += 32, into += 32) {
    const x = v128.load(from)
    const y = v128.load(from, 16)
    v128.store(into, x)
    v128.store(into, y, 16)
    a = i64x2.add(a, i64x2.add(i64x2.extend_low_i32x4_u(x), i64x2.extend_low_i32x4_u(y)))
    b = i64x2.add(b, i64x2.add(i64x2.extend_high_i32x4_u(x), i64x2.extend_high_i32x4_u(y)))
  }
  a = i64x2.add(a, b)
  let sum = i64x2.extract_lane(a, 0) + i64x2.extract_lane(a, 1)
  for (; left >= 4; left -= 4, from += 4, into += 4) {
    const word = load<u32>(from)
    store<u32>(into, word)
    sum += word
  }
  if (left >= 2) {
    const half = load<u16>(from)
    store<u16>(into, half)
    sum += half
    from += 2
    into += 2
  }
  if (left & 1) {
    const byte = load<u8>(from)
    store<u8>(into, byte)
    sum += byte
  }
  return sum
}

/** Writes piece `index` at `into`, where there is room for it, and returns its length. */
export function cutPiece(index: u32, into: usize): u32 {
  const from = load<u32>(FROM)
  const headers = load<u32>(HEADERS)
  const transport = load<u32>(TRANSPORT)
  const kind = load<u32>(KIND)
  const at = headers + index * load<u32>(PIECE)
  const whole = load<u32>(WHOLE)
  const size = min(load<u32>(PIECE), whole - at)
  const length = headers + size
  memory.copy(into, from, headers)
  const payload = copyAndSum(into + headers, from + at, size)
  if (kind & IS_V4) {
    store16(into + 2, length)
    store16(into + 4, <u32>bswap<u16>(load<u16>(into, 4)) + index)
    store<u16>(into, 0, 10)
    store16(into + 10, fold(sumWords(into, transport)) ^ 0xffff)
  } else store16(into + 4, length - 40)
  const head = into + transport
  const size4 = headers - transport + size
  if (kind & IS_UDP) {
    store16(head + 4, size4)
    store<u16>(head, 0, 6)
    const sum = transportSum(head, headers - transport, payload, size4)
    store16(head + 6, sum == 0 ? 0xffff : sum)
  } else {
    store<u32>(head, bswap<u32>(bswap<u32>(load<u32>(head, 4)) + index * load<u32>(PIECE)), 4)
    // FIN and PSH belong to the last piece, CWR to the first.
    let flags = load<u8>(head, 13)
    if (at + size != whole) flags &= ~FIN_PSH
    if (index > 0) flags &= ~CWR
    store<u8>(head, flags, 13)
    store<u16>(head, 0, 16)
    store16(head + 16, transportSum(head, headers - transport, payload, size4))
  }
  return length
}

/** The checksum of a transport header of even length, its payload's sum, and the pseudo header. */
// @ts-ignore: decorator
@inline
function transportSum(head: usize, headers: u32, payload: u64, length: u32): u32 {
  const words = sumLanes(head, headers) + payload
  return fold(<u64>bswap<u16>(<u16>fold(words)) + load<u32>(PSEUDO) + length) ^ 0xffff
}

/**
 * Lays pieces `first` to `first + count - 1` as texts of datagrams one behind the other from `into` on, each with its
 * header in front and room for its tag behind, and enters them in the table. Returns how many it laid: all, unless they
 * reach outside the packet area.
 */
export function cutPieces(first: u32, count: u32, into: usize, table: usize): u32 {
  const receiver = load<u32>(RECEIVER)
  const slot = load<u32>(SLOT)
  const mtu = load<u32>(MTU)
  for (let i: u32 = 0; i < count; i++, table += ENTRY_STRIDE) {
    const text = into + 16
    const room = load<u32>(HEADERS) + load<u32>(PIECE)
    store<u32>(table, <u32>text, ENTRY_OFFSET)
    if (!lies(table, ((room + 15) & ~15) + 16, 16)) return i
    const length = cutPiece(first + i, text)
    const padded = pad(length, mtu)
    for (let at = length; at < padded; at++) store<u8>(text + at, 0)
    const counter = load<u64>(COUNTER) + first + i
    store<u32>(into, TRANSPORT_DATA)
    store<u32>(into, receiver, 4)
    store<u64>(into, counter, 8)
    store<u32>(table, padded, ENTRY_LENGTH)
    store<u64>(table, counter, ENTRY_COUNTER)
    store<u32>(table, slot, ENTRY_KEY)
    into = text + padded + 16
  }
  return count
}

/** As src/padding.ts has it: the next multiple of 16, but not beyond the MTU. */
// @ts-ignore: decorator
@inline
function pad(length: u32, mtu: u32): u32 {
  const last = mtu > 0 && length > mtu ? length % mtu : length
  const up = (last + 15) & ~15
  return length - last + (mtu > 0 ? min(up, mtu) : up)
}
