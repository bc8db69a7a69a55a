// Endpoints as keys of a Map. IPv4 fits in one number (48 bits), so the common case makes no string.
import type { Endpoint } from '@mesh/wire/ip'

/** A value that two endpoints share exactly when they are equal. */
export type EndpointKey = number | string

/** Returns the endpoint's key. */
export function endpointKey(endpoint: Endpoint): EndpointKey {
  const { address, port } = endpoint
  if (address.length !== 4) return String.fromCharCode(port, ...address)
  const high = address[0]! * 0x100 + address[1]!
  const low = address[2]! * 0x100 + address[3]!
  return (high * 0x10000 + low) * 0x10000 + port
}

/** Returns a copy that stays when the packet it was read from is gone. */
export function keepEndpoint(endpoint: Endpoint): Endpoint {
  return { address: endpoint.address.slice(), port: endpoint.port }
}
