// The Internet checksum (RFC 1071), which segmentation offload leaves to us. The sum does not care for the order of bytes
// within its words as long as the result is turned round in the end, so it is taken over little-endian words of 32 bits
// into lanes of 64, 32 bytes at a time, and folded to 16 bits once.

/** Returns the sum of the 16-bit words of a range, folded to 16 bits; an odd last byte is padded with zero. */
export function sumWords(at: usize, length: u32): u32 {
  return bswap<u16>(<u16>fold(sumLanes(at, length)))
}

/** The same sum, not folded, of words as they lie: little-endian. */
export function sumLanes(at: usize, length: u32): u64 {
  let a = i64x2.splat(0)
  let b = i64x2.splat(0)
  for (; length >= 32; length -= 32, at += 32) {
    const x = v128.load(at)
    const y = v128.load(at, 16)
    a = i64x2.add(a, i64x2.add(i64x2.extend_low_i32x4_u(x), i64x2.extend_low_i32x4_u(y)))
    b = i64x2.add(b, i64x2.add(i64x2.extend_high_i32x4_u(x), i64x2.extend_high_i32x4_u(y)))
  }
  a = i64x2.add(a, b)
  let sum = i64x2.extract_lane(a, 0) + i64x2.extract_lane(a, 1)
  for (; length >= 4; length -= 4, at += 4) sum += load<u32>(at)
  if (length >= 2) {
    sum += load<u16>(at)
    at += 2
  }
  if (length & 1) sum += load<u8>(at)
  return sum
}

/** Returns the Internet checksum of a range on top of a sum, such as that of a pseudo header. */
export function checksum(at: usize, length: u32, initial: u32): u32 {
  return fold(<u64>sumWords(at, length) + initial) ^ 0xffff
}

/**
 * Returns the sum of the pseudo header of UDP, TCP and ICMPv6 (RFC 768, RFC 9293, RFC 8200 section 8.1), folded.
 * `addresses` is where source and destination lie one behind the other, as in both IP headers: 8 bytes or 32.
 */
export function pseudoHeaderSum(addresses: usize, bytes: u32, protocol: u32, length: u32): u32 {
  return fold(<u64>sumWords(addresses, bytes) + protocol + (length >>> 16) + (length & 0xffff))
}

/** Folds a sum to 16 bits. */
export function fold(sum: u64): u32 {
  sum = (sum & 0xffffffff) + (sum >> 32)
  sum = (sum & 0xffffffff) + (sum >> 32)
  let folded = <u32>sum
  folded = (folded & 0xffff) + (folded >>> 16)
  return (folded & 0xffff) + (folded >>> 16)
}
