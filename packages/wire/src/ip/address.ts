// IP addresses as the bytes that travel: four for IPv4, sixteen for IPv6, nothing else. The IPv6 form of an IPv4
// address (::ffff:a.b.c.d) is folded to four bytes wherever it comes in, so that one host has one name.

/**
 * An IP address: 4 bytes for IPv4, 16 for IPv6, never an IPv4-mapped IPv6 address.
 *
 * Often a view of a packet; copy it (`slice()`) before keeping it.
 */
export type IpAddress = Uint8Array

/** The first twelve bytes of an IPv4-mapped IPv6 address end in two of 0xff. */
const MAPPED_PREFIX = 12

/** Tells whether an address is IPv4. */
export function isIpv4(address: IpAddress): boolean {
  return address.length === 4
}

/** Tells whether two addresses are the same. */
export function addressesEqual(a: IpAddress, b: IpAddress): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false
  return true
}

/**
 * Returns the address in its one form: a 16-byte IPv4-mapped address becomes a 4-byte view of its end, any
 * other is returned as it is.
 */
export function unmapAddress(bytes: Uint8Array): IpAddress {
  return isMapped(bytes) ? bytes.subarray(MAPPED_PREFIX) : bytes
}

function isMapped(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false
  for (let i = 0; i < 10; i += 1) if (bytes[i] !== 0) return false
  return true
}

/**
 * Writes the 16-byte form at `at`, IPv4 as ::ffff:a.b.c.d: how disco, relays and DERP carry an address.
 *
 * @throws RangeError when the address has neither 4 nor 16 bytes.
 */
export function writeMappedAddress(into: Uint8Array, at: number, address: IpAddress): void {
  if (address.length === 16) return into.set(address, at)
  if (address.length !== 4) throw new RangeError(`address has ${address.length} bytes, not 4 or 16`)
  into.fill(0, at, at + 10)
  into[at + 10] = 0xff
  into[at + 11] = 0xff
  into.set(address, at + MAPPED_PREFIX)
}

/**
 * Reads an address in its strict textual form, or returns `undefined`.
 *
 * IPv4 is four decimal numbers without leading zeros: no `1`, no `010.0.0.1`, no hexadecimal. IPv6 is as in
 * RFC 4291 section 2.2, also with an IPv4 tail; zones (`%eth0`) are refused; an IPv4-mapped one gives 4 bytes.
 */
export function parseAddress(text: string): IpAddress | undefined {
  if (!text.includes(':')) return parseIpv4(text)
  const address = parseIpv6(text)
  return address && unmapAddress(address)
}

const IPV4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/
const GROUP = /^[0-9a-fA-F]{1,4}$/

function parseIpv4(text: string): Uint8Array | undefined {
  const match = IPV4.exec(text)
  if (!match) return undefined
  const address = new Uint8Array(4)
  for (let i = 0; i < 4; i += 1) {
    const part = match[i + 1]!
    if (Number(part) > 255 || (part.length > 1 && part.startsWith('0'))) return undefined
    address[i] = Number(part)
  }
  return address
}

/** The longest IPv6 text: eight groups, the last two as IPv4. */
const LONGEST_TEXT = 45

function parseIpv6(text: string): Uint8Array | undefined {
  if (text.length > LONGEST_TEXT) return undefined
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = parseGroups(halves[0]!, halves.length === 1)
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : []
  if (!head || !tail) return undefined
  const given = head.length + tail.length
  // The double colon stands for at least one group of zeros.
  if (halves.length === 1 ? given !== 16 : given > 14) return undefined
  const address = new Uint8Array(16)
  address.set(head)
  address.set(tail, 16 - tail.length)
  return address
}

function parseGroups(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === '') return []
  const bytes: number[] = []
  const groups = text.split(':')
  for (const [i, group] of groups.entries()) {
    if (mayEndInIpv4 && i === groups.length - 1 && group.includes('.')) {
      const ipv4 = parseIpv4(group)
      if (!ipv4) return undefined
      bytes.push(...ipv4)
    } else {
      if (!GROUP.test(group)) return undefined
      const value = Number.parseInt(group, 16)
      bytes.push(value >>> 8, value & 0xff)
    }
  }
  return bytes
}

/**
 * Returns the text of an address: dotted IPv4, or IPv6 as RFC 5952 wants it (lower case, the longest run of two
 * or more zero groups shortened, the first of equal runs).
 *
 * @throws RangeError when the address has neither 4 nor 16 bytes.
 */
export function formatAddress(bytes: IpAddress): string {
  const address = unmapAddress(bytes)
  if (address.length === 4) return address.join('.')
  if (address.length !== 16) throw new RangeError(`address has ${address.length} bytes, not 4 or 16`)
  const groups: string[] = []
  for (let i = 0; i < 16; i += 2) groups.push(((address[i]! << 8) | address[i + 1]!).toString(16))
  const run = longestZeroRun(groups)
  if (run.length < 2) return groups.join(':')
  return `${groups.slice(0, run.start).join(':')}::${groups.slice(run.start + run.length).join(':')}`
}

function longestZeroRun(groups: readonly string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0
    while (groups[start + length] === '0') length += 1
    if (length > best.length) best = { start, length }
  }
  return best
}
