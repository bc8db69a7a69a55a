// Addresses and endpoints as keys of a Map. IPv4 fits in one number, so the common case makes no string: a simulated
// network looks up a few of these for every datagram.
import type { Endpoint, IpAddress } from '@mesh/wire/ip'

/** A value that two addresses, or two endpoints, share exactly when they are equal. */
export type Key = number | string

/** Returns the key of an address. */
export function addressKey(address: IpAddress): Key {
  if (address.length !== 4) return String.fromCharCode(...address)
  return (address[0]! * 0x100 + address[1]!) * 0x10000 + address[2]! * 0x100 + address[3]!
}

/** Returns the key of an endpoint. */
export function endpointKey({ address, port }: Endpoint): Key {
  const key = addressKey(address)
  return typeof key === 'number' ? key * 0x10000 + port : key + String.fromCharCode(port)
}
