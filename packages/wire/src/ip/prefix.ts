// Address ranges: an address and how many of its leading bits count.
import { type IpAddress, addressesEqual, formatAddress, parseAddress } from './address.ts'

/** A range of addresses: those whose first `bits` bits are those of `address`. Host bits may be set. */
export interface Prefix {
  /** Any address of the range. */
  readonly address: IpAddress
  /** How many leading bits count: 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly bits: number
}

const DECIMAL = /^(0|[1-9]\d{0,2})$/

/**
 * Reads `address/bits`, or returns `undefined`. The address is strict as in {@link parseAddress}, the bits are a
 * decimal number without sign or leading zero. Host bits are kept; a range of IPv4-mapped addresses becomes an
 * IPv4 one.
 */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  if (slash < 0) return undefined
  const [addressText, bitsText] = [text.slice(0, slash), text.slice(slash + 1)]
  const address = parseAddress(addressText)
  if (!address || !DECIMAL.test(bitsText)) return undefined
  const mapped = address.length === 4 && addressText.includes(':')
  const bits = Number(bitsText) - (mapped ? 96 : 0)
  if (bits < 0 || bits > address.length * 8) return undefined
  return { address, bits }
}

/** Returns `address/bits`, the address as {@link formatAddress} writes it. */
export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.bits}`
}

/** Tells whether `address` lies in the range; never across families. Allocates nothing. */
export function prefixContains(prefix: Prefix, address: IpAddress): boolean {
  const own = prefix.address
  if (own.length !== address.length) return false
  const whole = prefix.bits >> 3
  for (let i = 0; i < whole; i += 1) if (own[i] !== address[i]) return false
  const rest = prefix.bits & 7
  if (rest === 0) return true
  return ((own[whole]! ^ address[whole]!) & (0xff00 >> rest) & 0xff) === 0
}

/** Returns the same range with all host bits zero, in bytes of its own. */
export function maskPrefix(prefix: Prefix): Prefix {
  const address = prefix.address.slice()
  const whole = prefix.bits >> 3
  if (whole < address.length) {
    address[whole] = address[whole]! & (0xff00 >> (prefix.bits & 7))
    address.fill(0, whole + 1)
  }
  return { address, bits: prefix.bits }
}

/** Tells whether two prefixes are written alike: same address, host bits included, and same bits. */
export function prefixesEqual(a: Prefix, b: Prefix): boolean {
  return a.bits === b.bits && addressesEqual(a.address, b.address)
}

/** Returns the range that holds `address` alone: /32 or /128. */
export function hostPrefix(address: IpAddress): Prefix {
  return { address, bits: address.length * 8 }
}
