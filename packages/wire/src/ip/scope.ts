// What kind of place an address names: questions that path finding, filters and routing ask.
import type { IpAddress } from './address.ts'

/** Tells whether the address is 0.0.0.0 or ::. */
export function isUnspecified(address: IpAddress): boolean {
  return address.every((byte) => byte === 0)
}

/** Tells whether the address is of this host itself: 127.0.0.0/8 or ::1. */
export function isLoopback(address: IpAddress): boolean {
  if (address.length === 4) return address[0] === 127
  return address[15] === 1 && address.subarray(0, 15).every((byte) => byte === 0)
}

/** Tells whether the address is valid on one link only: 169.254.0.0/16 or fe80::/10. */
export function isLinkLocal(address: IpAddress): boolean {
  if (address.length === 4) return address[0] === 169 && address[1] === 254
  return address[0] === 0xfe && (address[1]! & 0xc0) === 0x80
}

/** Tells whether the address is a group: 224.0.0.0/4 or ff00::/8. */
export function isMulticast(address: IpAddress): boolean {
  return address.length === 4 ? (address[0]! & 0xf0) === 0xe0 : address[0] === 0xff
}

/** Tells whether the address is for private networks: RFC 1918, or fc00::/7 of RFC 4193. */
export function isPrivate(address: IpAddress): boolean {
  if (address.length === 16) return (address[0]! & 0xfe) === 0xfc
  const [a, b] = [address[0]!, address[1]!]
  return a === 10 || (a === 172 && (b & 0xf0) === 16) || (a === 192 && b === 168)
}
