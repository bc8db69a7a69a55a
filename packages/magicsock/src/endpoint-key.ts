// Hops as keys of a Map. IPv4 fits in one number (48 bits), so the common case makes no string.
import type { Hop } from './hop.ts'

/** A value that two hops share exactly when they are the same. */
export type EndpointKey = number | string

/** Returns the hop's key. */
export function endpointKey(hop: Hop): EndpointKey {
  const { address, port, vni, door } = hop
  if (vni !== undefined || door !== undefined) return `${vni ?? ''} ${door ?? ''} ${port} ${address.join()}`
  if (address.length !== 4) return String.fromCharCode(port, ...address)
  const high = address[0]! * 0x100 + address[1]!
  const low = address[2]! * 0x100 + address[3]!
  return (high * 0x10000 + low) * 0x10000 + port
}

/** Returns a copy that stays when the packet it was read from is gone. */
export function keepHop(hop: Hop): Hop {
  return { ...hop, address: hop.address.slice() }
}
