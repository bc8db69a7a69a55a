// ChaCha20's key stream (RFC 8439 section 2.3), in vectors. Four blocks at a time: vector n holds word n of all four, so
// that a round needs no shuffling, and the words are sorted into blocks at the end. For the one or two blocks that end a
// packet there is a second form, with a row of a block in each vector.
//
// Each form also absorbs blocks of a Poly1305 message between its rounds, if it is given any. The vectors of the one and
// the integers of the other use different units of a processor, which works on both at once when their instructions lie
// closely enough together: hence the two are written line by line in turn, and the compiler is kept from sorting them
// (scripts/build-wasm.ts). It is worth a quarter of the time.
import { ROTATE_16, ROTATE_8, POLY_R, STATE, STATE_BLOCK } from './layout'
import { absorbBlock, h0 as sum0, h1 as sum1, h2 as sum2, h3 as sum3 } from './poly1305'

/** How many blocks of a message either form can absorb. */
export const ABSORBED_AT_ONCE: u32 = 20

const LOW: u64 = 0xffffffff
/** What stands above a whole block: 2^128, in the topmost limb. */
const TOP: u64 = 0x100000000

/**
 * Writes the masks that rotate by whole bytes. They are read from memory because an engine that knew them would turn a
 * swizzle into a shuffle and build the mask anew for each: five instructions instead of two.
 */
export function writeMasks(): void {
  v128.store(ROTATE_16, i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13))
  v128.store(ROTATE_8, i8x16(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14))
}

// @ts-ignore: decorator
@inline
function xorRotate16(a: v128, b: v128, by16: v128): v128 {
  return i8x16.swizzle(v128.xor(a, b), by16)
}
// @ts-ignore: decorator
@inline
function xorRotate12(a: v128, b: v128): v128 {
  const x = v128.xor(a, b)
  return v128.or(i32x4.shl(x, 12), i32x4.shr_u(x, 20))
}
// @ts-ignore: decorator
@inline
function xorRotate8(a: v128, b: v128, by8: v128): v128 {
  return i8x16.swizzle(v128.xor(a, b), by8)
}
// @ts-ignore: decorator
@inline
function xorRotate7(a: v128, b: v128): v128 {
  const x = v128.xor(a, b)
  return v128.or(i32x4.shl(x, 7), i32x4.shr_u(x, 25))
}

/** Adds a row of the state to that row of four blocks, given by words, and writes it to each block. */
// @ts-ignore: decorator
@inline
function storeRow(into: usize, row: usize, x0: v128, x1: v128, x2: v128, x3: v128): void {
  const a = i32x4.add(x0, v128.load32_splat(row))
  const b = i32x4.add(x1, v128.load32_splat(row, 4))
  const c = i32x4.add(x2, v128.load32_splat(row, 8))
  const d = i32x4.add(x3, v128.load32_splat(row, 12))
  const ab0 = v128.shuffle<u32>(a, b, 0, 4, 1, 5)
  const ab1 = v128.shuffle<u32>(a, b, 2, 6, 3, 7)
  const cd0 = v128.shuffle<u32>(c, d, 0, 4, 1, 5)
  const cd1 = v128.shuffle<u32>(c, d, 2, 6, 3, 7)
  v128.store(into, v128.shuffle<u64>(ab0, cd0, 0, 2))
  v128.store(into, v128.shuffle<u64>(ab0, cd0, 1, 3), 64)
  v128.store(into, v128.shuffle<u64>(ab1, cd1, 0, 2), 128)
  v128.store(into, v128.shuffle<u64>(ab1, cd1, 1, 3), 192)
}

/**
 * Writes the next four blocks of key stream, 256 bytes, and moves the state on by four. Absorbs the message from `message`
 * to `end`: pairs of blocks, at most ABSORBED_AT_ONCE blocks.
 */
export function stream4(into: usize, message: usize, end: usize): void {
  const by16 = v128.load(ROTATE_16)
  const by8 = v128.load(ROTATE_8)
  let x0 = v128.load32_splat(STATE)
  let x1 = v128.load32_splat(STATE, 4)
  let x2 = v128.load32_splat(STATE, 8)
  let x3 = v128.load32_splat(STATE, 12)
  let x4 = v128.load32_splat(STATE, 16)
  let x5 = v128.load32_splat(STATE, 20)
  let x6 = v128.load32_splat(STATE, 24)
  let x7 = v128.load32_splat(STATE, 28)
  let x8 = v128.load32_splat(STATE, 32)
  let x9 = v128.load32_splat(STATE, 36)
  let x10 = v128.load32_splat(STATE, 40)
  let x11 = v128.load32_splat(STATE, 44)
  let x12 = i32x4.add(v128.load32_splat(STATE_BLOCK), i32x4(0, 1, 2, 3))
  let x13 = v128.load32_splat(STATE, 52)
  let x14 = v128.load32_splat(STATE, 56)
  let x15 = v128.load32_splat(STATE, 60)
  let doubleRound = 0
  if (message < end) {
    // Poly1305 as in absorbWords, its numbers in locals, the product whose carry comes first begun first.
    let h0 = sum0
    let h1 = sum1
    let h2 = sum2
    let h3 = sum3
    const r0 = load<u64>(POLY_R)
    const r1 = load<u64>(POLY_R, 8)
    const r2 = load<u64>(POLY_R, 16)
    const r3 = load<u64>(POLY_R, 24)
    const q1 = load<u64>(POLY_R, 32)
    const q2 = load<u64>(POLY_R, 40)
    const q3 = load<u64>(POLY_R, 48)
    let s0: u64, s1: u64, s2: u64, s3: u64, x: u64, y: u64, over: u64, top: u64
    for (; message < end; message += 32, doubleRound++) {
      // Columns, and a block.
      x0 = i32x4.add(x0, x4); x1 = i32x4.add(x1, x5); x2 = i32x4.add(x2, x6); x3 = i32x4.add(x3, x7)
      s0 = h0 + load<u32>(message); s1 = h1 + load<u32>(message, 4); s2 = h2 + load<u32>(message, 8)
      s3 = h3 + load<u32>(message, 12) + TOP
      x12 = xorRotate16(x12, x0, by16); x13 = xorRotate16(x13, x1, by16); x14 = xorRotate16(x14, x2, by16); x15 = xorRotate16(x15, x3, by16)
      x = s0 * r3 + s1 * r2 + s2 * r1 + s3 * r0
      x8 = i32x4.add(x8, x12); x9 = i32x4.add(x9, x13); x10 = i32x4.add(x10, x14); x11 = i32x4.add(x11, x15)
      over = x >> 32; top = x & LOW
      x4 = xorRotate12(x4, x8); x5 = xorRotate12(x5, x9); x6 = xorRotate12(x6, x10); x7 = xorRotate12(x7, x11)
      x = s0 * r0 + s1 * q3 + s2 * q2 + s3 * q1
      x0 = i32x4.add(x0, x4); x1 = i32x4.add(x1, x5); x2 = i32x4.add(x2, x6); x3 = i32x4.add(x3, x7)
      y = (over >> 2) * 5 + (x & LOW); h0 = y & LOW; y = (y >> 32) + (x >> 32)
      x12 = xorRotate8(x12, x0, by8); x13 = xorRotate8(x13, x1, by8); x14 = xorRotate8(x14, x2, by8); x15 = xorRotate8(x15, x3, by8)
      x = s0 * r1 + s1 * r0 + s2 * q3 + s3 * q2
      y += x & LOW; h1 = y & LOW; y = (y >> 32) + (x >> 32)
      x8 = i32x4.add(x8, x12); x9 = i32x4.add(x9, x13); x10 = i32x4.add(x10, x14); x11 = i32x4.add(x11, x15)
      x = s0 * r2 + s1 * r1 + s2 * r0 + s3 * q3
      y += x & LOW; h2 = y & LOW; y = (y >> 32) + (x >> 32) + top
      x4 = xorRotate7(x4, x8); x5 = xorRotate7(x5, x9); x6 = xorRotate7(x6, x10); x7 = xorRotate7(x7, x11)
      h3 = y + ((over & 3) << 32)
      // Diagonals, and a block.
      x0 = i32x4.add(x0, x5); x1 = i32x4.add(x1, x6); x2 = i32x4.add(x2, x7); x3 = i32x4.add(x3, x4)
      s0 = h0 + load<u32>(message, 16); s1 = h1 + load<u32>(message, 20); s2 = h2 + load<u32>(message, 24)
      s3 = h3 + load<u32>(message, 28) + TOP
      x15 = xorRotate16(x15, x0, by16); x12 = xorRotate16(x12, x1, by16); x13 = xorRotate16(x13, x2, by16); x14 = xorRotate16(x14, x3, by16)
      x = s0 * r3 + s1 * r2 + s2 * r1 + s3 * r0
      x10 = i32x4.add(x10, x15); x11 = i32x4.add(x11, x12); x8 = i32x4.add(x8, x13); x9 = i32x4.add(x9, x14)
      over = x >> 32; top = x & LOW
      x5 = xorRotate12(x5, x10); x6 = xorRotate12(x6, x11); x7 = xorRotate12(x7, x8); x4 = xorRotate12(x4, x9)
      x = s0 * r0 + s1 * q3 + s2 * q2 + s3 * q1
      x0 = i32x4.add(x0, x5); x1 = i32x4.add(x1, x6); x2 = i32x4.add(x2, x7); x3 = i32x4.add(x3, x4)
      y = (over >> 2) * 5 + (x & LOW); h0 = y & LOW; y = (y >> 32) + (x >> 32)
      x15 = xorRotate8(x15, x0, by8); x12 = xorRotate8(x12, x1, by8); x13 = xorRotate8(x13, x2, by8); x14 = xorRotate8(x14, x3, by8)
      x = s0 * r1 + s1 * r0 + s2 * q3 + s3 * q2
      y += x & LOW; h1 = y & LOW; y = (y >> 32) + (x >> 32)
      x10 = i32x4.add(x10, x15); x11 = i32x4.add(x11, x12); x8 = i32x4.add(x8, x13); x9 = i32x4.add(x9, x14)
      x = s0 * r2 + s1 * r1 + s2 * r0 + s3 * q3
      y += x & LOW; h2 = y & LOW; y = (y >> 32) + (x >> 32) + top
      x5 = xorRotate7(x5, x10); x6 = xorRotate7(x6, x11); x7 = xorRotate7(x7, x8); x4 = xorRotate7(x4, x9)
      h3 = y + ((over & 3) << 32)
    }
    sum0 = h0
    sum1 = h1
    sum2 = h2
    sum3 = h3
  }
  for (; doubleRound < 10; doubleRound++) {
    x0 = i32x4.add(x0, x4); x1 = i32x4.add(x1, x5); x2 = i32x4.add(x2, x6); x3 = i32x4.add(x3, x7)
    x12 = xorRotate16(x12, x0, by16); x13 = xorRotate16(x13, x1, by16); x14 = xorRotate16(x14, x2, by16); x15 = xorRotate16(x15, x3, by16)
    x8 = i32x4.add(x8, x12); x9 = i32x4.add(x9, x13); x10 = i32x4.add(x10, x14); x11 = i32x4.add(x11, x15)
    x4 = xorRotate12(x4, x8); x5 = xorRotate12(x5, x9); x6 = xorRotate12(x6, x10); x7 = xorRotate12(x7, x11)
    x0 = i32x4.add(x0, x4); x1 = i32x4.add(x1, x5); x2 = i32x4.add(x2, x6); x3 = i32x4.add(x3, x7)
    x12 = xorRotate8(x12, x0, by8); x13 = xorRotate8(x13, x1, by8); x14 = xorRotate8(x14, x2, by8); x15 = xorRotate8(x15, x3, by8)
    x8 = i32x4.add(x8, x12); x9 = i32x4.add(x9, x13); x10 = i32x4.add(x10, x14); x11 = i32x4.add(x11, x15)
    x4 = xorRotate7(x4, x8); x5 = xorRotate7(x5, x9); x6 = xorRotate7(x6, x10); x7 = xorRotate7(x7, x11)
    x0 = i32x4.add(x0, x5); x1 = i32x4.add(x1, x6); x2 = i32x4.add(x2, x7); x3 = i32x4.add(x3, x4)
    x15 = xorRotate16(x15, x0, by16); x12 = xorRotate16(x12, x1, by16); x13 = xorRotate16(x13, x2, by16); x14 = xorRotate16(x14, x3, by16)
    x10 = i32x4.add(x10, x15); x11 = i32x4.add(x11, x12); x8 = i32x4.add(x8, x13); x9 = i32x4.add(x9, x14)
    x5 = xorRotate12(x5, x10); x6 = xorRotate12(x6, x11); x7 = xorRotate12(x7, x8); x4 = xorRotate12(x4, x9)
    x0 = i32x4.add(x0, x5); x1 = i32x4.add(x1, x6); x2 = i32x4.add(x2, x7); x3 = i32x4.add(x3, x4)
    x15 = xorRotate8(x15, x0, by8); x12 = xorRotate8(x12, x1, by8); x13 = xorRotate8(x13, x2, by8); x14 = xorRotate8(x14, x3, by8)
    x10 = i32x4.add(x10, x15); x11 = i32x4.add(x11, x12); x8 = i32x4.add(x8, x13); x9 = i32x4.add(x9, x14)
    x5 = xorRotate7(x5, x10); x6 = xorRotate7(x6, x11); x7 = xorRotate7(x7, x8); x4 = xorRotate7(x4, x9)
  }
  storeRow(into, STATE, x0, x1, x2, x3)
  storeRow(into + 16, STATE + 16, x4, x5, x6, x7)
  storeRow(into + 32, STATE + 32, x8, x9, x10, x11)
  storeRow(into + 48, STATE + 48, i32x4.add(x12, i32x4(0, 1, 2, 3)), x13, x14, x15)
  store<u32>(STATE_BLOCK, load<u32>(STATE_BLOCK) + 4)
}

/**
 * As {@link stream4} for two blocks, 128 bytes: row n of the first in a…d, of the second in e…h. It need not absorb in
 * pairs.
 */
export function stream2(into: usize, message: usize, end: usize): void {
  const by16 = v128.load(ROTATE_16)
  const by8 = v128.load(ROTATE_8)
  const row0 = v128.load(STATE)
  const row1 = v128.load(STATE, 16)
  const row2 = v128.load(STATE, 32)
  const row3 = v128.load(STATE, 48)
  const next3 = i32x4.add(row3, i32x4(1, 0, 0, 0))
  let a = row0, b = row1, c = row2, d = row3
  let e = row0, f = row1, g = row2, h = next3
  for (let i = 0; i < 10; i++) {
    a = i32x4.add(a, b); e = i32x4.add(e, f)
    d = xorRotate16(d, a, by16); h = xorRotate16(h, e, by16)
    c = i32x4.add(c, d); g = i32x4.add(g, h)
    b = xorRotate12(b, c); f = xorRotate12(f, g)
    a = i32x4.add(a, b); e = i32x4.add(e, f)
    d = xorRotate8(d, a, by8); h = xorRotate8(h, e, by8)
    c = i32x4.add(c, d); g = i32x4.add(g, h)
    b = xorRotate7(b, c); f = xorRotate7(f, g)
    // Columns become diagonals, and below the diagonals columns.
    b = v128.shuffle<u32>(b, b, 1, 2, 3, 0); f = v128.shuffle<u32>(f, f, 1, 2, 3, 0)
    c = v128.shuffle<u32>(c, c, 2, 3, 0, 1); g = v128.shuffle<u32>(g, g, 2, 3, 0, 1)
    d = v128.shuffle<u32>(d, d, 3, 0, 1, 2); h = v128.shuffle<u32>(h, h, 3, 0, 1, 2)
    if (message < end) {
      absorbBlock(message)
      message += 16
    }
    a = i32x4.add(a, b); e = i32x4.add(e, f)
    d = xorRotate16(d, a, by16); h = xorRotate16(h, e, by16)
    c = i32x4.add(c, d); g = i32x4.add(g, h)
    b = xorRotate12(b, c); f = xorRotate12(f, g)
    a = i32x4.add(a, b); e = i32x4.add(e, f)
    d = xorRotate8(d, a, by8); h = xorRotate8(h, e, by8)
    c = i32x4.add(c, d); g = i32x4.add(g, h)
    b = xorRotate7(b, c); f = xorRotate7(f, g)
    b = v128.shuffle<u32>(b, b, 3, 0, 1, 2); f = v128.shuffle<u32>(f, f, 3, 0, 1, 2)
    c = v128.shuffle<u32>(c, c, 2, 3, 0, 1); g = v128.shuffle<u32>(g, g, 2, 3, 0, 1)
    d = v128.shuffle<u32>(d, d, 1, 2, 3, 0); h = v128.shuffle<u32>(h, h, 1, 2, 3, 0)
    if (message < end) {
      absorbBlock(message)
      message += 16
    }
  }
  v128.store(into, i32x4.add(a, row0))
  v128.store(into, i32x4.add(b, row1), 16)
  v128.store(into, i32x4.add(c, row2), 32)
  v128.store(into, i32x4.add(d, row3), 48)
  v128.store(into, i32x4.add(e, row0), 64)
  v128.store(into, i32x4.add(f, row1), 80)
  v128.store(into, i32x4.add(g, row2), 96)
  v128.store(into, i32x4.add(h, next3), 112)
  store<u32>(STATE_BLOCK, load<u32>(STATE_BLOCK) + 2)
}
