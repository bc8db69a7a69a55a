// The Internet checksum (RFC 1071): the ones' complement of the ones' complement sum of 16-bit words. Sums run over
// ranges of a buffer, so that nothing is copied to be summed.
import { readU16 } from '../big-endian.ts'
import type { IpAddress } from './address.ts'

/**
 * Returns the unfolded sum of the 16-bit words of `bytes[start, end)`, an odd last byte padded with zero, added to
 * `initial`. Sums of ranges may be chained when every range but the last has an even length.
 */
export function sumWords(bytes: Uint8Array, start: number, end: number, initial = 0): number {
  let sum = initial
  let at = start
  for (const lastPair = end - 1; at < lastPair; at += 2) sum += (bytes[at]! << 8) | bytes[at + 1]!
  return at < end ? sum + (bytes[at]! << 8) : sum
}

/** Folds a sum of {@link sumWords} to 16 bits and inverts it: the checksum to write. */
export function foldChecksum(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded % 0x10000) + Math.floor(folded / 0x10000)
  return ~folded & 0xffff
}

/**
 * Returns the Internet checksum of `bytes[start, end)` on top of `initial` (a {@link pseudoHeaderSum}).
 *
 * Over a range that holds its own right checksum it is 0.
 */
export function internetChecksum(
  bytes: Uint8Array,
  start = 0,
  end: number = bytes.length,
  initial = 0,
): number {
  return foldChecksum(sumWords(bytes, start, end, initial))
}

/**
 * Corrects the checksum at `bytes[at]` for words under it that have become others, without looking at the rest
 * (RFC 1624, equation 3). A checksum that was right is right again, and one that was wrong stays wrong.
 *
 * @param difference - The ones' complements of the old words and the new words, summed; below 2^17.
 */
export function correctChecksum(bytes: Uint8Array, at: number, difference: number): void {
  const checksum = foldChecksum((~readU16(bytes, at) & 0xffff) + difference)
  bytes[at] = checksum >> 8
  bytes[at + 1] = checksum & 0xff
}

/**
 * Returns the unfolded sum of the pseudo header that UDP, TCP and ICMPv6 checksum with their segment (RFC 768,
 * RFC 9293, RFC 8200 section 8.1; the sums of the IPv4 and IPv6 layouts are the same).
 *
 * @param length - Bytes of the segment, its own header included.
 */
export function pseudoHeaderSum(
  source: IpAddress,
  destination: IpAddress,
  protocol: number,
  length: number,
): number {
  const sum = sumWords(source, 0, source.length, protocol + (length >>> 16) + (length & 0xffff))
  return sumWords(destination, 0, destination.length, sum)
}
