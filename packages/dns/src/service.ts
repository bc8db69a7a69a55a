// The addresses and names that every mesh has in common (data-plane section 8.1, 8.5 and 8.9).
import { type IpAddress, parseAddress } from '@mesh/wire/ip'
import { firstLabelOf, isWithin, parentOf } from './names.ts'

/** Where a node's own resolver answers: 100.100.100.100, the same on every node and never routed. */
export const SERVICE_ADDRESS: IpAddress = Uint8Array.of(100, 100, 100, 100)

/** The same for IPv6: fd7a:115c:a1e0::53. */
export const SERVICE_ADDRESS_V6: IpAddress = fixed('fd7a:115c:a1e0::53')

/** The name of the service addresses. */
export const SERVICE_NAME = 'magicdns.localhost-tailscale-daemon'

/** fd7a:115c:a1e0:b1a::/64, then a site of 4 bytes, then an IPv4 address. */
const VIA_PREFIX = fixed('fd7a:115c:a1e0:b1a::').subarray(0, 8)
const VIA_NAME = /^(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})-via-(0x[0-9a-f]+|0o[0-7]+|0b[01]+|\d+)$/
const VIA_ZONES = ['ts.net', 'tailscale.net']

/** fd7a:115c:a1e0:ab12:4843:cd96:6200::/104: IPv6 addresses that older control servers made from the IPv4 one. */
const FOUR_TO_SIX_PREFIX = fixed('fd7a:115c:a1e0:ab12:4843:cd96:6200:0').subarray(0, 13)

/**
 * Returns the 4via6 address that a name such as `10-1-2-3-via-7` stands for, bare or below the public zones; or
 * `undefined` when the name is none of these.
 */
export function viaAddressOf(name: string): IpAddress | undefined {
  const zone = parentOf(name)
  if (zone !== '' && !VIA_ZONES.some((suffix) => isWithin(zone, suffix))) return undefined
  const match = VIA_NAME.exec(firstLabelOf(name))
  if (match === null) return undefined
  const octets = match.slice(1, 5).map(Number)
  const site = Number(match[5])
  if (octets.some((octet) => octet > 255) || site > 0xffffffff) return undefined
  const address = new Uint8Array(16)
  address.set(VIA_PREFIX)
  new DataView(address.buffer).setUint32(8, site)
  address.set(octets, 12)
  return address
}

/** Returns the IPv4 address inside a 4to6 address, or `undefined` for any other address. */
export function fourToSixOf(address: IpAddress): IpAddress | undefined {
  if (address.length !== 16 || !FOUR_TO_SIX_PREFIX.every((byte, at) => address[at] === byte)) return undefined
  return Uint8Array.of(100, ...address.subarray(13))
}

function fixed(text: string): IpAddress {
  const address = parseAddress(text)
  if (address === undefined) throw new TypeError(`not an address: ${text}`)
  return address
}
