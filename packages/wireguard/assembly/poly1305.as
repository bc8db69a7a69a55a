// Poly1305 (RFC 8439 section 2.5), one block of 16 bytes at a time, in ordinary integers rather than vectors. That is
// on purpose: a vector multiply costs three instructions in WebAssembly, and above all the two kinds of work use
// different parts of a processor, so that a block is absorbed here while ChaCha20's vectors are busy (see chacha20.as).
//
// Numbers are base 2^32, and the topmost of the four limbs of the sum keeps what is above 2^128 too. r is clamped, which
// leaves each of its limbs 28 bits and makes the upper three divisible by 4; so a product that reaches 2^128 folds back
// (2^130 = 5 mod p) as a multiple of the exact r * 5 / 4, here q. With a block added, s0, s1 and s2 are below 2 * 2^32 and s3
// below 7 * 2^32. The largest of the sums of products, s0 * r0 + s1 * q3 + s2 * q2 + s3 * q1, is then below
// (2 + 2 * 5/2 + 7 * 5/4) * 2^60 = 15.75 * 2^60, within 64 bits; and sixteen multiplications do for a block.
//
// Adds, multiplies, shifts and masks only: the time depends on nothing secret.
import { POLY_PAD, POLY_R, TAIL } from './layout'

export let h0: u64 = 0
export let h1: u64 = 0
export let h2: u64 = 0
export let h3: u64 = 0

const LOW: u64 = 0xffffffff

/** Begins a message with the one-time key of 32 bytes at `key`. */
export function begin(key: usize): void {
  const r0 = <u64>load<u32>(key) & 0x0fffffff
  const r1 = <u64>load<u32>(key, 4) & 0x0ffffffc
  const r2 = <u64>load<u32>(key, 8) & 0x0ffffffc
  const r3 = <u64>load<u32>(key, 12) & 0x0ffffffc
  store<u64>(POLY_R, r0)
  store<u64>(POLY_R, r1, 8)
  store<u64>(POLY_R, r2, 16)
  store<u64>(POLY_R, r3, 24)
  store<u64>(POLY_R, (r1 >> 2) * 5, 32)
  store<u64>(POLY_R, (r2 >> 2) * 5, 40)
  store<u64>(POLY_R, (r3 >> 2) * 5, 48)
  v128.store(POLY_PAD, v128.load(key, 16))
  h0 = h1 = h2 = h3 = 0
}

/** Absorbs the four words of a block; `top` is 1 for a whole block, 0 where a 1 byte stands behind a short one. */
// @ts-ignore: decorator
@inline
function absorbWords(m0: u64, m1: u64, m2: u64, m3: u64, top: u64): void {
  const s0 = h0 + m0
  const s1 = h1 + m1
  const s2 = h2 + m2
  const s3 = h3 + m3 + (top << 32)
  const r0 = load<u64>(POLY_R)
  const r1 = load<u64>(POLY_R, 8)
  const r2 = load<u64>(POLY_R, 16)
  const r3 = load<u64>(POLY_R, 24)
  const q1 = load<u64>(POLY_R, 32)
  const q2 = load<u64>(POLY_R, 40)
  const q3 = load<u64>(POLY_R, 48)
  const x3 = s0 * r3 + s1 * r2 + s2 * r1 + s3 * r0
  const x0 = s0 * r0 + s1 * q3 + s2 * q2 + s3 * q1
  const x1 = s0 * r1 + s1 * r0 + s2 * q3 + s3 * q2
  const x2 = s0 * r2 + s1 * r1 + s2 * r0 + s3 * q3
  // What reaches 2^128: its lowest two bits stay where they are, the rest is 2^130 times something.
  const over = x3 >> 32
  const y0 = (over >> 2) * 5 + (x0 & LOW)
  const y1 = (y0 >> 32) + (x0 >> 32) + (x1 & LOW)
  const y2 = (y1 >> 32) + (x1 >> 32) + (x2 & LOW)
  h0 = y0 & LOW
  h1 = y1 & LOW
  h2 = y2 & LOW
  h3 = (y2 >> 32) + (x2 >> 32) + (x3 & LOW) + ((over & 3) << 32)
}

/** Absorbs the 16 bytes at `message`. */
// @ts-ignore: decorator
@inline
export function absorbBlock(message: usize): void {
  absorbWords(
    <u64>load<u32>(message),
    <u64>load<u32>(message, 4),
    <u64>load<u32>(message, 8),
    <u64>load<u32>(message, 12),
    1,
  )
}

/** Absorbs whole blocks from `from` to `to`. */
export function absorb(from: usize, to: usize): void {
  for (; from < to; from += 16) absorbBlock(from)
}

/** Absorbs a message and the zeros that fill its last block, as the AEAD does (section 2.8). */
export function absorbPadded(message: usize, length: u32): void {
  const whole = message + (length & ~15)
  absorb(message, whole)
  if ((length & 15) == 0) return
  copyTail(whole, length & 15)
  absorbBlock(TAIL)
}

/** Absorbs the block of the two lengths that ends the AEAD's message. */
export function absorbLengths(adLength: u32, textLength: u32): void {
  absorbWords(adLength, 0, textLength, 0, 1)
}

/** Absorbs a message to its very end, as Poly1305 alone does: a 1 byte stands behind a short last block. */
export function absorbMessage(message: usize, length: u32): void {
  const whole = message + (length & ~15)
  const rest = length & 15
  absorb(message, whole)
  if (rest == 0) return
  copyTail(whole, rest)
  store<u8>(TAIL + rest, 1)
  absorbWords(load<u32>(TAIL), load<u32>(TAIL, 4), load<u32>(TAIL, 8), load<u32>(TAIL, 12), 0)
}

function copyTail(from: usize, length: u32): void {
  v128.store(TAIL, i64x2.splat(0))
  memory.copy(TAIL, from, length)
}

/** Returns the tag. */
export function finish(): v128 {
  // h is below 2 * 2^130, so h - p is needed once or not at all: exactly when h + 5 reaches 2^130.
  const above = h3 >> 32
  h3 &= LOW
  let carry: u64 = 5 + h0
  carry = (carry >> 32) + h1
  carry = (carry >> 32) + h2
  carry = (carry >> 32) + h3
  carry = (carry >> 32) + above
  carry = (carry >> 2) * 5 + h0 + load<u32>(POLY_PAD)
  const low = carry & LOW
  carry = (carry >> 32) + h1 + load<u32>(POLY_PAD, 4)
  const t0 = low | (carry << 32)
  carry = (carry >> 32) + h2 + load<u32>(POLY_PAD, 8)
  const high = carry & LOW
  carry = (carry >> 32) + h3 + load<u32>(POLY_PAD, 12)
  const t1 = high | (carry << 32)
  h0 = h1 = h2 = h3 = 0
  return i64x2.replace_lane(i64x2.splat(t0), 1, t1)
}
