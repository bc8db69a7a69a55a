// What a borrowed cipher needs of each packet of a batch, and what is left to do when it is done. It seals with ChaCha20
// from block 1 on and makes tags with Poly1305, each in few calls from outside; what those calls want to find lies ready
// here: the one-time key of each packet, four of them made at once, the first block's number with the nonce, and behind
// the text the padding and the lengths that the tag covers (RFC 8439 section 2.8), over bytes that are put back.
import { batch, columns, keyOf, lies } from './batch'
import {
  ENTRY_COUNTER,
  ENTRY_LENGTH,
  ENTRY_OFFSET,
  ENTRY_RESULT,
  ENTRY_STRIDE,
  FORGED,
  LOAN_STRIDE,
  MAX_TEXT,
  OUT_STRIDE,
  ROTATE_16,
  ROTATE_8,
  TAG,
} from './layout'

/** A packet's loan: one-time key, block number and nonce, the tag that was made, 32 bytes saved from behind the text. */
const LOAN_BLOCK: usize = 32
const LOAN_TAG: usize = 48
const LOAN_SAVED: usize = 64

/** Bytes behind a text that are used for a moment. */
const BEHIND: u32 = 32

function loans(): usize {
  return columns + (<usize>(OUT_STRIDE * batch + 63) & ~63)
}

/**
 * Readies the first `count` packets of the table; `tagged` when a tag counts to their length. Returns false, and nothing is
 * changed, when one of them is to be refused, when they do not lie in order with 32 bytes between them, or when their mean
 * length is below `worth`.
 */
export function lend(table: usize, count: u32, tagged: u32, worth: u32): bool {
  if (count == 0 || count > batch || !fit(table, count, tagged, worth)) return false
  const from = loans()
  for (let i: u32 = 0; i < count; i += 4) makeKeys(table + i * ENTRY_STRIDE, from + i * LOAN_STRIDE, count - i)
  let loan = from
  for (let i: u32 = 0; i < count; i++, table += ENTRY_STRIDE, loan += LOAN_STRIDE) {
    const text = load<u32>(table, ENTRY_OFFSET)
    const length = load<u32>(table, ENTRY_LENGTH) - tagged
    const end = text + length
    store<u64>(loan, 1, LOAN_BLOCK)
    store<u64>(loan, load<u64>(table, ENTRY_COUNTER), LOAN_BLOCK + 8)
    v128.store(loan, v128.load(end), LOAN_SAVED)
    v128.store(loan, v128.load(end, 16), LOAN_SAVED + 16)
    v128.store(end, i64x2.splat(0))
    v128.store(end, i64x2.splat(0), 16)
    store<u64>(text + ((length + 15) & ~15), length, 8)
  }
  return true
}

function fit(table: usize, count: u32, tagged: u32, worth: u32): bool {
  let free: usize = 0
  let sum: u32 = 0
  for (let i: u32 = 0; i < count; i++, table += ENTRY_STRIDE) {
    const text = load<u32>(table, ENTRY_OFFSET)
    const length = load<u32>(table, ENTRY_LENGTH) - tagged
    if (length > MAX_TEXT || text < free || !lies(table, length, BEHIND) || keyOf(table) == 0) return false
    free = text + length + BEHIND
    sum += length
  }
  return sum >= count * worth
}

// @ts-ignore: decorator
@inline
function quarter(a: v128, b: v128, by: i32): v128 {
  const x = v128.xor(a, b)
  return v128.or(i32x4.shl(x, by), i32x4.shr_u(x, 32 - by))
}

/** One word of the keys of four packets. */
// @ts-ignore: decorator
@inline
function four(a: usize, b: usize, c: usize, d: usize): v128 {
  const ab = v128.load32_lane(b, v128.load32_zero(a), 1)
  return v128.load32_lane(d, v128.load32_lane(c, ab, 2), 3)
}

/** Writes rows of the first halves of four blocks. */
// @ts-ignore: decorator
@inline
function storeFour(into: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab0 = v128.shuffle<u32>(a, b, 0, 4, 1, 5)
  const ab1 = v128.shuffle<u32>(a, b, 2, 6, 3, 7)
  const cd0 = v128.shuffle<u32>(c, d, 0, 4, 1, 5)
  const cd1 = v128.shuffle<u32>(c, d, 2, 6, 3, 7)
  v128.store(into, v128.shuffle<u64>(ab0, cd0, 0, 2))
  v128.store(into + LOAN_STRIDE, v128.shuffle<u64>(ab0, cd0, 1, 3))
  v128.store(into + 2 * LOAN_STRIDE, v128.shuffle<u64>(ab1, cd1, 0, 2))
  v128.store(into + 3 * LOAN_STRIDE, v128.shuffle<u64>(ab1, cd1, 1, 3))
}

/** Makes the one-time keys of up to four packets, a packet in each lane; what is too many is made again of the first. */
function makeKeys(e0: usize, into: usize, count: u32): void {
  const e1 = count > 1 ? e0 + ENTRY_STRIDE : e0
  const e2 = count > 2 ? e0 + 2 * ENTRY_STRIDE : e0
  const e3 = count > 3 ? e0 + 3 * ENTRY_STRIDE : e0
  const k0 = keyOf(e0), k1 = keyOf(e1), k2 = keyOf(e2), k3 = keyOf(e3)
  const y4 = four(k0, k1, k2, k3)
  const y5 = four(k0 + 4, k1 + 4, k2 + 4, k3 + 4)
  const y6 = four(k0 + 8, k1 + 8, k2 + 8, k3 + 8)
  const y7 = four(k0 + 12, k1 + 12, k2 + 12, k3 + 12)
  const c0 = i32x4.splat(0x61707865), c1 = i32x4.splat(0x3320646e)
  const c2 = i32x4.splat(0x79622d32), c3 = i32x4.splat(0x6b206574)
  let x0 = c0, x1 = c1, x2 = c2, x3 = c3
  let x4 = y4, x5 = y5, x6 = y6, x7 = y7
  let x8 = four(k0 + 16, k1 + 16, k2 + 16, k3 + 16)
  let x9 = four(k0 + 20, k1 + 20, k2 + 20, k3 + 20)
  let x10 = four(k0 + 24, k1 + 24, k2 + 24, k3 + 24)
  let x11 = four(k0 + 28, k1 + 28, k2 + 28, k3 + 28)
  let x12 = i32x4.splat(0), x13 = i32x4.splat(0)
  let x14 = four(e0 + ENTRY_COUNTER, e1 + ENTRY_COUNTER, e2 + ENTRY_COUNTER, e3 + ENTRY_COUNTER)
  let x15 = four(e0 + ENTRY_COUNTER + 4, e1 + ENTRY_COUNTER + 4, e2 + ENTRY_COUNTER + 4, e3 + ENTRY_COUNTER + 4)
  const by16 = v128.load(ROTATE_16)
  const by8 = v128.load(ROTATE_8)
  for (let i = 0; i < 10; i++) {
    x0 = i32x4.add(x0, x4); x1 = i32x4.add(x1, x5); x2 = i32x4.add(x2, x6); x3 = i32x4.add(x3, x7)
    x12 = i8x16.swizzle(v128.xor(x12, x0), by16); x13 = i8x16.swizzle(v128.xor(x13, x1), by16); x14 = i8x16.swizzle(v128.xor(x14, x2), by16); x15 = i8x16.swizzle(v128.xor(x15, x3), by16)
    x8 = i32x4.add(x8, x12); x9 = i32x4.add(x9, x13); x10 = i32x4.add(x10, x14); x11 = i32x4.add(x11, x15)
    x4 = quarter(x4, x8, 12); x5 = quarter(x5, x9, 12); x6 = quarter(x6, x10, 12); x7 = quarter(x7, x11, 12)
    x0 = i32x4.add(x0, x4); x1 = i32x4.add(x1, x5); x2 = i32x4.add(x2, x6); x3 = i32x4.add(x3, x7)
    x12 = i8x16.swizzle(v128.xor(x12, x0), by8); x13 = i8x16.swizzle(v128.xor(x13, x1), by8); x14 = i8x16.swizzle(v128.xor(x14, x2), by8); x15 = i8x16.swizzle(v128.xor(x15, x3), by8)
    x8 = i32x4.add(x8, x12); x9 = i32x4.add(x9, x13); x10 = i32x4.add(x10, x14); x11 = i32x4.add(x11, x15)
    x4 = quarter(x4, x8, 7); x5 = quarter(x5, x9, 7); x6 = quarter(x6, x10, 7); x7 = quarter(x7, x11, 7)
    x0 = i32x4.add(x0, x5); x1 = i32x4.add(x1, x6); x2 = i32x4.add(x2, x7); x3 = i32x4.add(x3, x4)
    x15 = i8x16.swizzle(v128.xor(x15, x0), by16); x12 = i8x16.swizzle(v128.xor(x12, x1), by16); x13 = i8x16.swizzle(v128.xor(x13, x2), by16); x14 = i8x16.swizzle(v128.xor(x14, x3), by16)
    x10 = i32x4.add(x10, x15); x11 = i32x4.add(x11, x12); x8 = i32x4.add(x8, x13); x9 = i32x4.add(x9, x14)
    x5 = quarter(x5, x10, 12); x6 = quarter(x6, x11, 12); x7 = quarter(x7, x8, 12); x4 = quarter(x4, x9, 12)
    x0 = i32x4.add(x0, x5); x1 = i32x4.add(x1, x6); x2 = i32x4.add(x2, x7); x3 = i32x4.add(x3, x4)
    x15 = i8x16.swizzle(v128.xor(x15, x0), by8); x12 = i8x16.swizzle(v128.xor(x12, x1), by8); x13 = i8x16.swizzle(v128.xor(x13, x2), by8); x14 = i8x16.swizzle(v128.xor(x14, x3), by8)
    x10 = i32x4.add(x10, x15); x11 = i32x4.add(x11, x12); x8 = i32x4.add(x8, x13); x9 = i32x4.add(x9, x14)
    x5 = quarter(x5, x10, 7); x6 = quarter(x6, x11, 7); x7 = quarter(x7, x8, 7); x4 = quarter(x4, x9, 7)
  }
  storeFour(into, i32x4.add(x0, c0), i32x4.add(x1, c1), i32x4.add(x2, c2), i32x4.add(x3, c3))
  storeFour(into + 16, i32x4.add(x4, y4), i32x4.add(x5, y5), i32x4.add(x6, y6), i32x4.add(x7, y7))
}

/** The packets are sealed and their tags made: puts the tags where they belong, and back what was there behind them. */
export function takeSealed(table: usize, count: u32): void {
  let loan = loans()
  for (let i: u32 = 0; i < count; i++, table += ENTRY_STRIDE, loan += LOAN_STRIDE) {
    const length = load<u32>(table, ENTRY_LENGTH)
    const end = load<u32>(table, ENTRY_OFFSET) + length
    v128.store(end, v128.load(loan, LOAN_TAG))
    v128.store(end, v128.load(loan, LOAN_SAVED + 16), 16)
    store<i32>(table, length + TAG, ENTRY_RESULT)
  }
  wipeLoan(count)
}

/**
 * The tags of the packets as they came are made: puts back what was behind the texts, and compares, all bytes of both in the
 * same time. Returns how many are genuine; the cipher may open those, and then {@link wipeLoan} be called.
 */
export function takeOpened(table: usize, count: u32): u32 {
  let genuine: u32 = 0
  let loan = loans()
  for (let i: u32 = 0; i < count; i++, table += ENTRY_STRIDE, loan += LOAN_STRIDE) {
    const length = load<u32>(table, ENTRY_LENGTH) - TAG
    const end = load<u32>(table, ENTRY_OFFSET) + length
    const came = v128.load(loan, LOAN_SAVED)
    v128.store(end, came)
    v128.store(end, v128.load(loan, LOAN_SAVED + 16), 16)
    const differs = v128.any_true(v128.xor(came, v128.load(loan, LOAN_TAG)))
    store<i32>(table, differs ? FORGED : length, ENTRY_RESULT)
    genuine += differs ? 0 : 1
  }
  return genuine
}

/** Wipes the one-time keys of the first `count` packets. */
export function wipeLoan(count: u32): void {
  memory.fill(loans(), 0, ((count + 3) & ~3) * LOAN_STRIDE)
}
