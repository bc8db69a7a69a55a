// ChaCha20-Poly1305 (RFC 8439 section 2.8) over one text, in place: `length` bytes and 16 more for the tag.
//
// The key of Poly1305 is the first block of the key stream, and is made in one go with the first blocks for the text.
// From then on each stride of key stream is made while the tag's sum takes in what already lies there.
import { ABSORBED_AT_ONCE, stream2, stream4 } from './chacha20'
import { BLOCK, STATE, STATE_BLOCK, STATE_KEY, STATE_NONCE, STREAM, TAIL } from './layout'
import { absorb, absorbBlock, absorbLengths, absorbPadded, begin, finish } from './poly1305'

/** Lays out the state for a packet: section 2.3, with the nonce as its three words. */
export function setState(key: usize, nonce0: u32, nonce1: u32, nonce2: u32): void {
  v128.store(STATE, i32x4(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574))
  v128.store(STATE_KEY, v128.load(key))
  v128.store(STATE_KEY, v128.load(key, 16), 16)
  store<u32>(STATE_BLOCK, 0)
  store<u32>(STATE_NONCE, nonce0)
  store<u32>(STATE_NONCE, nonce1, 4)
  store<u32>(STATE_NONCE, nonce2, 8)
}

/**
 * Makes key stream at `into`: one stride, the short one when no more than that is `wanted`. Beside it absorbs the
 * message from `message` to `end`, which is no more than {@link reach} allows. Returns how many bytes it made.
 */
// @ts-ignore: decorator
@inline
function makeStream(into: usize, wanted: u32, message: usize, end: usize): u32 {
  if (wanted <= 2 * BLOCK) {
    stream2(into, message, end)
    return 2 * BLOCK
  }
  stream4(into, message, end)
  return 4 * BLOCK
}

/** How far beside one stride a message can be absorbed that lies from `from` to `to`: whole pairs of blocks. */
// @ts-ignore: decorator
@inline
function reach(from: usize, to: usize): usize {
  return from + min(16 * ABSORBED_AT_ONCE, (to - from) & ~31)
}

/** Xors key stream into the whole vectors from `from` to `to` of a text. */
// @ts-ignore: decorator
@inline
function xorVectors(text: usize, from: u32, to: u32): void {
  for (let i = from; i < to; i += 16) {
    v128.store(text + i, v128.xor(v128.load(text + i), v128.load(STREAM + i, BLOCK)))
  }
}

/** A vector with 0xff in its first `length` bytes and 0 in the others. */
// @ts-ignore: decorator
@inline
function firstBytes(length: u32): v128 {
  const indices = i8x16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
  return i8x16.lt_u(indices, i8x16.splat(<i8>length))
}

// What is left to do for the tag of the text sealed last: absorb from `owedFrom` to `owedTo` and the lengths, and write it.
// Its sum cannot keep up with the last stride of its own key stream, so it runs beside the first of the next packet's.
let owed: bool = false
let owedFrom: usize = 0
let owedTo: usize = 0
let owedTag: usize = 0
let owedAdLength: u32 = 0
let owedLength: u32 = 0

/**
 * Seals the text. Its tag is written no later than by the next {@link settle}. The state is that of {@link setState}.
 */
export function seal(text: usize, length: u32, ad: usize, adLength: u32): void {
  const whole = length & ~15
  const wanted = BLOCK + length
  const owedEnd = reach(owedFrom, owedTo)
  let made = makeStream(STREAM, wanted, owedFrom, owedEnd)
  owedFrom = owedEnd
  settle()
  begin(STREAM)
  if (adLength > 0) absorbPadded(ad, adLength)
  let sealed: u32 = 0
  let absorbed = text
  while (true) {
    const ready = min(made - BLOCK, whole)
    xorVectors(text, sealed, ready)
    sealed = ready
    if (made >= wanted) break
    const end = reach(absorbed, text + sealed)
    made += makeStream(STREAM + made, wanted - made, absorbed, end)
    absorbed = end
  }
  let end = text + whole
  if (whole < length) {
    // The zeros that the tag's sum wants behind a short vector run into the room of the tag, which is yet to come.
    const last = v128.xor(v128.load(end), v128.load(STREAM + whole, BLOCK))
    v128.store(end, v128.and(last, firstBytes(length & 15)))
    end += 16
  }
  owed = true
  owedFrom = absorbed
  owedTo = end
  owedTag = text + length
  owedAdLength = adLength
  owedLength = length
}

/** Writes the tag that {@link seal} owes, if it does. */
export function settle(): void {
  if (!owed) return
  absorb(owedFrom, owedTo)
  absorbLengths(owedAdLength, owedLength)
  v128.store(owedTag, finish())
  owed = false
  owedFrom = owedTo = 0
}

/**
 * Opens the text, whose tag stands behind it. Nothing is written before the tag has proved right: a forged text stays
 * as it came. The state is that of {@link setState}.
 */
export function open(text: usize, length: u32, ad: usize, adLength: u32): bool {
  const whole = length & ~15
  const rest = length & 15
  const wanted = BLOCK + length
  let made = makeStream(STREAM, wanted, 0, 0)
  begin(STREAM)
  if (adLength > 0) absorbPadded(ad, adLength)
  let absorbed = text
  while (made < wanted) {
    const end = reach(absorbed, text + whole)
    made += makeStream(STREAM + made, wanted - made, absorbed, end)
    absorbed = end
  }
  absorb(absorbed, text + whole)
  if (rest > 0) {
    v128.store(TAIL, v128.and(v128.load(text + whole), firstBytes(rest)))
    absorbBlock(TAIL)
  }
  absorbLengths(adLength, length)
  // All bytes of both tags are compared, and the one branch is on the verdict, which is no secret.
  if (v128.any_true(v128.xor(finish(), v128.load(text + length)))) return false
  xorVectors(text, 0, whole)
  if (rest > 0) {
    const last = v128.load(text + whole)
    const stream = v128.and(v128.load(STREAM + whole, BLOCK), firstBytes(rest))
    v128.store(text + whole, v128.xor(last, stream))
  }
  return true
}
