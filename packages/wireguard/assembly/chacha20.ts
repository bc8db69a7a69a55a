// ChaCha20's key stream (RFC 8439 section 2.3), in vectors. Four blocks at a time: vector n holds word n of all four, so
// that a round needs no shuffling, and the words are sorted into blocks at the end. For the one or two blocks that end a
// packet there is a second form, with a row of a block in each vector.
//
// Each form also absorbs blocks of a Poly1305 message between its rounds, if it is given any. The vectors of the one
// and the integers of the other use different units of a processor, which then works on both at once.
import { STATE, STATE_BLOCK } from './layout'
import { absorbBlock } from './poly1305'

/** How many blocks of a message either form can absorb. */
export const ABSORBED_AT_ONCE: u32 = 20

// @ts-ignore: decorator
@inline
function rotl16(x: v128): v128 {
  return v128.shuffle<u16>(x, x, 1, 0, 3, 2, 5, 4, 7, 6)
}
// @ts-ignore: decorator
@inline
function rotl12(x: v128): v128 {
  return v128.or(i32x4.shl(x, 12), i32x4.shr_u(x, 20))
}
// @ts-ignore: decorator
@inline
function rotl8(x: v128): v128 {
  return v128.shuffle<u8>(x, x, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14)
}
// @ts-ignore: decorator
@inline
function rotl7(x: v128): v128 {
  return v128.or(i32x4.shl(x, 7), i32x4.shr_u(x, 25))
}

/** Writes one row of each of four blocks, from the words of that row. */
// @ts-ignore: decorator
@inline
function storeRow(into: usize, a: v128, b: v128, c: v128, d: v128): void {
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
 * Writes the next four blocks of key stream, 256 bytes, and moves the state on by four. Absorbs the message's blocks
 * from `message` to `end`, at most ABSORBED_AT_ONCE of them.
 */
export function stream4(into: usize, message: usize, end: usize): void {
  let x0 = v128.load32_splat(STATE, 0)
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
  for (let i = 0; i < 10; i++) {
    x0 = i32x4.add(x0, x4)
    x1 = i32x4.add(x1, x5)
    x2 = i32x4.add(x2, x6)
    x3 = i32x4.add(x3, x7)
    x12 = rotl16(v128.xor(x12, x0))
    x13 = rotl16(v128.xor(x13, x1))
    x14 = rotl16(v128.xor(x14, x2))
    x15 = rotl16(v128.xor(x15, x3))
    x8 = i32x4.add(x8, x12)
    x9 = i32x4.add(x9, x13)
    x10 = i32x4.add(x10, x14)
    x11 = i32x4.add(x11, x15)
    x4 = rotl12(v128.xor(x4, x8))
    x5 = rotl12(v128.xor(x5, x9))
    x6 = rotl12(v128.xor(x6, x10))
    x7 = rotl12(v128.xor(x7, x11))
    x0 = i32x4.add(x0, x4)
    x1 = i32x4.add(x1, x5)
    x2 = i32x4.add(x2, x6)
    x3 = i32x4.add(x3, x7)
    x12 = rotl8(v128.xor(x12, x0))
    x13 = rotl8(v128.xor(x13, x1))
    x14 = rotl8(v128.xor(x14, x2))
    x15 = rotl8(v128.xor(x15, x3))
    x8 = i32x4.add(x8, x12)
    x9 = i32x4.add(x9, x13)
    x10 = i32x4.add(x10, x14)
    x11 = i32x4.add(x11, x15)
    x4 = rotl7(v128.xor(x4, x8))
    x5 = rotl7(v128.xor(x5, x9))
    x6 = rotl7(v128.xor(x6, x10))
    x7 = rotl7(v128.xor(x7, x11))
    if (message < end) {
      absorbBlock(message)
      message += 16
    }
    x0 = i32x4.add(x0, x5)
    x1 = i32x4.add(x1, x6)
    x2 = i32x4.add(x2, x7)
    x3 = i32x4.add(x3, x4)
    x15 = rotl16(v128.xor(x15, x0))
    x12 = rotl16(v128.xor(x12, x1))
    x13 = rotl16(v128.xor(x13, x2))
    x14 = rotl16(v128.xor(x14, x3))
    x10 = i32x4.add(x10, x15)
    x11 = i32x4.add(x11, x12)
    x8 = i32x4.add(x8, x13)
    x9 = i32x4.add(x9, x14)
    x5 = rotl12(v128.xor(x5, x10))
    x6 = rotl12(v128.xor(x6, x11))
    x7 = rotl12(v128.xor(x7, x8))
    x4 = rotl12(v128.xor(x4, x9))
    x0 = i32x4.add(x0, x5)
    x1 = i32x4.add(x1, x6)
    x2 = i32x4.add(x2, x7)
    x3 = i32x4.add(x3, x4)
    x15 = rotl8(v128.xor(x15, x0))
    x12 = rotl8(v128.xor(x12, x1))
    x13 = rotl8(v128.xor(x13, x2))
    x14 = rotl8(v128.xor(x14, x3))
    x10 = i32x4.add(x10, x15)
    x11 = i32x4.add(x11, x12)
    x8 = i32x4.add(x8, x13)
    x9 = i32x4.add(x9, x14)
    x5 = rotl7(v128.xor(x5, x10))
    x6 = rotl7(v128.xor(x6, x11))
    x7 = rotl7(v128.xor(x7, x8))
    x4 = rotl7(v128.xor(x4, x9))
    if (message < end) {
      absorbBlock(message)
      message += 16
    }
  }
  storeRow(
    into + 0,
    i32x4.add(x0, v128.load32_splat(STATE, 0)),
    i32x4.add(x1, v128.load32_splat(STATE, 4)),
    i32x4.add(x2, v128.load32_splat(STATE, 8)),
    i32x4.add(x3, v128.load32_splat(STATE, 12)),
  )
  storeRow(
    into + 16,
    i32x4.add(x4, v128.load32_splat(STATE, 16)),
    i32x4.add(x5, v128.load32_splat(STATE, 20)),
    i32x4.add(x6, v128.load32_splat(STATE, 24)),
    i32x4.add(x7, v128.load32_splat(STATE, 28)),
  )
  storeRow(
    into + 32,
    i32x4.add(x8, v128.load32_splat(STATE, 32)),
    i32x4.add(x9, v128.load32_splat(STATE, 36)),
    i32x4.add(x10, v128.load32_splat(STATE, 40)),
    i32x4.add(x11, v128.load32_splat(STATE, 44)),
  )
  storeRow(
    into + 48,
    i32x4.add(i32x4.add(x12, v128.load32_splat(STATE_BLOCK)), i32x4(0, 1, 2, 3)),
    i32x4.add(x13, v128.load32_splat(STATE, 52)),
    i32x4.add(x14, v128.load32_splat(STATE, 56)),
    i32x4.add(x15, v128.load32_splat(STATE, 60)),
  )
  store<u32>(STATE_BLOCK, load<u32>(STATE_BLOCK) + 4)
}

/** As {@link stream4} for two blocks, 128 bytes: row n of the first in a…d, of the second in e…h. */
export function stream2(into: usize, message: usize, end: usize): void {
  const row0 = v128.load(STATE)
  const row1 = v128.load(STATE, 16)
  const row2 = v128.load(STATE, 32)
  const row3 = v128.load(STATE, 48)
  const next3 = i32x4.add(row3, i32x4(1, 0, 0, 0))
  let a = row0
  let b = row1
  let c = row2
  let d = row3
  let e = row0
  let f = row1
  let g = row2
  let h = next3
  for (let i = 0; i < 20; i++) {
    a = i32x4.add(a, b)
    e = i32x4.add(e, f)
    d = rotl16(v128.xor(d, a))
    h = rotl16(v128.xor(h, e))
    c = i32x4.add(c, d)
    g = i32x4.add(g, h)
    b = rotl12(v128.xor(b, c))
    f = rotl12(v128.xor(f, g))
    a = i32x4.add(a, b)
    e = i32x4.add(e, f)
    d = rotl8(v128.xor(d, a))
    h = rotl8(v128.xor(h, e))
    c = i32x4.add(c, d)
    g = i32x4.add(g, h)
    b = rotl7(v128.xor(b, c))
    f = rotl7(v128.xor(f, g))
    if (message < end) {
      absorbBlock(message)
      message += 16
    }
    // Turns the columns into diagonals, and after every second round the diagonals back into columns.
    if ((i & 1) == 0) {
      b = v128.shuffle<u32>(b, b, 1, 2, 3, 0)
      f = v128.shuffle<u32>(f, f, 1, 2, 3, 0)
      c = v128.shuffle<u32>(c, c, 2, 3, 0, 1)
      g = v128.shuffle<u32>(g, g, 2, 3, 0, 1)
      d = v128.shuffle<u32>(d, d, 3, 0, 1, 2)
      h = v128.shuffle<u32>(h, h, 3, 0, 1, 2)
    } else {
      b = v128.shuffle<u32>(b, b, 3, 0, 1, 2)
      f = v128.shuffle<u32>(f, f, 3, 0, 1, 2)
      c = v128.shuffle<u32>(c, c, 2, 3, 0, 1)
      g = v128.shuffle<u32>(g, g, 2, 3, 0, 1)
      d = v128.shuffle<u32>(d, d, 1, 2, 3, 0)
      h = v128.shuffle<u32>(h, h, 1, 2, 3, 0)
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
