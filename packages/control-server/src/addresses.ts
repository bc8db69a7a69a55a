// Which address a new node gets (data-plane §8.1). The IPv6 address carries the low three bytes of the IPv4 one, so one
// allocation gives both and the peer API gets the same port on each.

import { addressesEqual, maskPrefix, parseAddress, parsePrefix } from '@mesh/wire/ip'

/** First address of 100.64.0.0/10 as a number. */
const CGNAT_BASE = 0x64400000
const CGNAT_SIZE = 2 ** 22
/** What the low three bytes of its first address count less than nothing. */
const CGNAT_OFFSET = -(CGNAT_BASE & 0xffffff)
/** Ranges inside it that are never a node's: the service address' /24, and what ChromeOS gives its guests. */
const RESERVED: readonly (readonly [first: number, last: number])[] = [
  [0x64646400, 0x646464ff], // 100.100.100.0/24
  [0x64735c00, 0x64735dff], // 100.115.92.0/23
]

/** Both addresses of a node. */
export interface NodeAddresses {
  /** Where in 100.64.0.0/10 they lie, counted from its first address. */
  readonly number: number
  /** In 100.64.0.0/10. */
  readonly ipv4: string
  /** In fd7a:115c:a1e0::/48. */
  readonly ipv6: string
}

/** Which addresses new nodes get: so many from a first one on, both counted from the first of 100.64.0.0/10. */
export interface AddressRange {
  readonly first: number
  readonly size: number
}

/** All of 100.64.0.0/10. */
export const WHOLE_RANGE: AddressRange = { first: 0, size: CGNAT_SIZE }

/** Reads a prefix within 100.64.0.0/10; `undefined` for any other. */
export function parseRange(text: string): AddressRange | undefined {
  const prefix = parsePrefix(text)
  if (!prefix || prefix.address.length !== 4 || prefix.bits < 10) return undefined
  const first = numberOf(maskPrefix(prefix).address)
  return first >= 0 && first < CGNAT_SIZE ? { first, size: 2 ** (32 - prefix.bits) } : undefined
}

/**
 * Returns the next free pair after `last`, or `undefined` when all are taken. Going on from the last one given, instead
 * of the lowest free one, keeps a deleted node's address from landing on another machine at once.
 *
 * @param last - The number of the pair given last; 0 to begin at 100.64.0.1.
 */
export function nextAddresses(
  last: number,
  taken: (ipv4: string) => boolean,
  { first, size }: AddressRange = WHOLE_RANGE,
): NodeAddresses | undefined {
  const isWithin = last >= first && last < first + size
  const from = isWithin ? last - first : -1
  for (let step = 1; step <= size; step += 1) {
    const number = first + ((from + step) % size)
    if (!isAllocatable(CGNAT_BASE + number)) continue
    const pair = pairOf(number)
    if (!taken(pair.ipv4)) return pair
  }
  return undefined
}

/** Returns the pair that an address of either family is one of; `undefined` when no node could have it. */
export function addressesOf(text: string): NodeAddresses | undefined {
  const address = parseAddress(text)
  if (!address) return undefined
  const number = address.length === 4 ? numberOf(address) : CGNAT_OFFSET + lowBytes(address)
  if (number < 0 || number >= CGNAT_SIZE || !isAllocatable(CGNAT_BASE + number)) return undefined
  const pair = pairOf(number)
  const [ipv4, ipv6] = [pair.ipv4, pair.ipv6].map((each) => parseAddress(each))
  return [ipv4, ipv6].some((each) => each && addressesEqual(each, address)) ? pair : undefined
}

function pairOf(number: number): NodeAddresses {
  return { number, ipv4: formatIpv4(CGNAT_BASE + number), ipv6: formatIpv6(CGNAT_BASE + number) }
}

/** Counted from the first address of 100.64.0.0/10. */
function numberOf(ipv4: Uint8Array): number {
  return ipv4.reduce((value, byte) => value * 256 + byte, 0) - CGNAT_BASE
}

/** The three bytes that both families share. */
function lowBytes(ipv6: Uint8Array): number {
  return ipv6.slice(13).reduce((value, byte) => value * 256 + byte, 0)
}

function isAllocatable(address: number): boolean {
  const lastByte = address & 0xff
  if (lastByte === 0 || lastByte === 255) return false
  return !RESERVED.some(([first, last]) => address >= first && address <= last)
}

function formatIpv4(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.')
}

/** The second byte of 100.64.0.0/10 is 64 to 127, so the seventh group is never zero and `::` stands for four groups. */
function formatIpv6(address: number): string {
  const high = ((address >>> 16) & 0xff).toString(16)
  const low = (address & 0xffff).toString(16)
  return `fd7a:115c:a1e0::${high}:${low}`
}
