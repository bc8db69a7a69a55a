// Which address a new node gets (data-plane §8.1). The IPv6 address carries the low three bytes of the IPv4 one, so one
// allocation gives both and the peer API gets the same port on each.

/** First address of 100.64.0.0/10 as a number. */
const CGNAT_BASE = 0x64400000
const CGNAT_SIZE = 2 ** 22
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

/**
 * Returns the next free pair after `last`, or `undefined` when all are taken. Going on from the last one given, instead
 * of the lowest free one, keeps a deleted node's address from landing on another machine at once.
 *
 * @param last - The number of the pair given last; 0 to begin at 100.64.0.1.
 */
export function nextAddresses(last: number, taken: (ipv4: string) => boolean): NodeAddresses | undefined {
  for (let step = 1; step < CGNAT_SIZE; step += 1) {
    const number = (last + step) % CGNAT_SIZE
    if (!isAllocatable(CGNAT_BASE + number)) continue
    const ipv4 = formatIpv4(CGNAT_BASE + number)
    if (!taken(ipv4)) return { number, ipv4, ipv6: formatIpv6(CGNAT_BASE + number) }
  }
  return undefined
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
