// Where a host can be plugged in: the open Internet, or behind a NAT.
import type { IpAddress } from '@mesh/wire/ip'
import type { Realm, Receiver } from './realm.ts'

/** A place with addresses to give and a realm to route in. */
export interface Place {
  /** The addresses that reach each other here. */
  readonly realm: Realm
  /** Where hosts here ask for port mappings; `undefined` when nobody answers. */
  readonly gateway: IpAddress | undefined
  /** Whether streams get out from here to the Internet: how hosts reach relays. */
  readonly isOnline: boolean
  /** Returns the next free IPv4 address of this place. */
  nextAddress(): IpAddress
  /** Makes an address reachable here, and one that is not translated also from outside. */
  plug(address: IpAddress, receiver: Receiver): void
  /** Takes an address away again. */
  unplug(address: IpAddress): void
}

/** Returns a function that gives addresses one after the other: `last` counts the last numbers, from 1 on. */
export function addressPool(a: number, b: number, c: number, count = 254): () => IpAddress {
  let last = 0
  return () => {
    last += 1
    if (last > count) throw new RangeError(`no address left in ${a}.${b}.${c}.0`)
    return Uint8Array.of(a, b, c + (last >> 8), last & 0xff)
  }
}
