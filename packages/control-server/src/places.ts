// Where a stranger comes from, for counting how much of something goes to one place.

import { formatPrefix, isIpv4, maskPrefix, parseAddress } from '@mesh/wire/ip'

/**
 * Returns the place of an address: an IPv4 address, or the /64 of an IPv6 one, for whoever has one has all of its hosts to
 * choose from. `undefined` for this machine, where a proxy stands for everybody.
 */
export function placeOf(text: string): string | undefined {
  if (text === '::1' || /^(::ffff:)?127\./.test(text)) return undefined
  const address = parseAddress(text)
  return !address || isIpv4(address) ? text : formatPrefix(maskPrefix({ address, bits: 64 }))
}
