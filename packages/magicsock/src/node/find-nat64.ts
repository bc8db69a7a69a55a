// Does this network translate to IPv4, and by which prefix? A name that has IPv4 addresses only is asked for its IPv6
// addresses: who answers with any has put a prefix before them (RFC 7050).
import { resolve6 } from 'node:dns/promises'
import { parseAddress } from '@mesh/wire/ip'

const NAME = 'ipv4only.arpa'
/** Its addresses: 192.0.0.170 and 192.0.0.171. */
const WELL_KNOWN = [170, 171]

/** Returns the NAT64 prefix of this network as 12 bytes; `undefined` where there is none. Never rejects. */
export async function findNat64Prefix(): Promise<Uint8Array | undefined> {
  const answers = await resolve6(NAME).catch(() => [])
  return nat64PrefixOf(answers)
}

/** Reads the prefix out of what the name was answered with. */
export function nat64PrefixOf(answers: readonly string[]): Uint8Array | undefined {
  for (const text of answers) {
    const address = parseAddress(text)
    if (address?.length !== 16) continue
    const [a, b, c, d] = address.subarray(12)
    if (a === 192 && b === 0 && c === 0 && WELL_KNOWN.includes(d!)) return address.slice(0, 12)
  }
  return undefined
}
