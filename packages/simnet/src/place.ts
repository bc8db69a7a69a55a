// Where a host can be plugged in: the open Internet, or behind a NAT.
import type { IpAddress } from '@mesh/wire/ip'
import type { Realm, Receiver } from './realm.ts'

/** A place with addresses to give and a realm to route in. */
export interface Place {
  /** The addresses that reach each other here. */
  readonly realm: Realm
  /** Returns the next free IPv4 address of this place. */
  nextAddress(): IpAddress
  /** Makes an address reachable here, and an IPv6 one also from outside. */
  plug(address: IpAddress, receiver: Receiver): void
  /** Takes an address away again. */
  unplug(address: IpAddress): void
}

/** Returns a function that gives the addresses of a /24 from .1 on. */
export function addressPool(a: number, b: number, c: number): () => IpAddress {
  let last = 0
  return () => {
    last += 1
    if (last > 254) throw new RangeError(`no address left in ${a}.${b}.${c}.0/24`)
    return Uint8Array.of(a, b, c, last)
  }
}
