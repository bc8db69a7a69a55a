// The addresses a stack answers for.
import { addressesEqual, type IpAddress } from '@mesh/wire/ip'

/** A few addresses of both families; the first of a family is what the stack sends from. */
export class OwnAddresses {
  readonly #addresses: readonly IpAddress[]

  constructor(addresses: readonly IpAddress[]) {
    for (const address of addresses) {
      if (address.length !== 4 && address.length !== 16)
        throw new RangeError('address must have 4 or 16 bytes')
    }
    this.#addresses = addresses.map((address) => address.slice())
  }

  /** Tells whether the address is one of them. */
  has(address: IpAddress): boolean {
    return this.#addresses.some((own) => addressesEqual(own, address))
  }

  /** Returns what to send from to an address of this family, or `undefined` when there is none. */
  sourceFor(destination: IpAddress): IpAddress | undefined {
    return this.#addresses.find((own) => own.length === destination.length)
  }
}
