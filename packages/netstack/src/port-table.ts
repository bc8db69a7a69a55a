// Who is bound to which address and port: the UDP sockets of a stack in one table, its TCP listeners in another.
import { addressesEqual, formatAddress, type IpAddress } from '@mesh/wire/ip'
import type { RandomSource } from '@mesh/sansio'
import { NetstackError } from './errors.ts'

/** A binding. */
export interface Binding {
  /** Its number. */
  readonly id: number
  /** The one own address it hears, or nothing for all of them. */
  readonly address: IpAddress | undefined
  /** Its port. */
  readonly port: number
}

/** RFC 6335: the ports nobody is assigned. */
const EPHEMERAL_FIRST = 49_152
const EPHEMERAL_COUNT = 65_536 - EPHEMERAL_FIRST

/** Bindings by number and by port. */
export class PortTable {
  readonly #byId = new Map<number, Binding>()
  readonly #byPort = new Map<number, Binding[]>()
  readonly #protocol: 'UDP' | 'TCP'
  readonly #random: RandomSource
  #nextId = 1

  constructor(protocol: 'UDP' | 'TCP', random: RandomSource) {
    this.#protocol = protocol
    this.#random = random
  }

  /** Binds a port; port 0 chooses a free one. */
  bind(address: IpAddress | undefined, port: number): Binding {
    const chosen = port === 0 ? this.#freePort(address) : port
    if (this.#taken(address, chosen)) {
      const where = address === undefined ? 'all addresses' : formatAddress(address)
      throw new NetstackError('ERR_NETSTACK_IN_USE', `${this.#protocol} port ${chosen} of ${where} is in use`)
    }
    const binding = { id: this.#nextId, address: address?.slice(), port: chosen }
    this.#nextId += 1
    this.#byId.set(binding.id, binding)
    this.#byPort.set(chosen, [...(this.#byPort.get(chosen) ?? []), binding])
    return binding
  }

  /** Returns a binding by number. */
  get(id: number): Binding {
    const binding = this.#byId.get(id)
    if (binding === undefined)
      throw new NetstackError('ERR_NETSTACK_CLOSED', `no ${this.#protocol} socket ${id}`)
    return binding
  }

  /** Forgets a binding; harmless when it is gone. */
  close(id: number): void {
    const binding = this.#byId.get(id)
    if (binding === undefined) return
    this.#byId.delete(id)
    const rest = (this.#byPort.get(binding.port) ?? []).filter((other) => other !== binding)
    if (rest.length === 0) this.#byPort.delete(binding.port)
    else this.#byPort.set(binding.port, rest)
  }

  /** Returns who hears what is sent to this address and port: one bound to the address before one bound to all. */
  find(address: IpAddress, port: number): Binding | undefined {
    const bindings = this.#byPort.get(port)
    if (bindings === undefined) return undefined
    const exact = bindings.find(
      (binding) => binding.address !== undefined && addressesEqual(binding.address, address),
    )
    return exact ?? bindings.find((binding) => binding.address === undefined)
  }

  #taken(address: IpAddress | undefined, port: number): boolean {
    const same = (other: IpAddress | undefined): boolean =>
      address === undefined || other === undefined ? address === other : addressesEqual(address, other)
    return (this.#byPort.get(port) ?? []).some((binding) => same(binding.address))
  }

  /** Starts at a random port, so that strangers cannot guess it, and goes on to the next free one. */
  #freePort(address: IpAddress | undefined): number {
    const bytes = this.#random(2)
    const start = (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) % EPHEMERAL_COUNT
    for (let step = 0; step < EPHEMERAL_COUNT; step++) {
      const port = EPHEMERAL_FIRST + ((start + step) % EPHEMERAL_COUNT)
      if (!this.#taken(address, port)) return port
    }
    throw new NetstackError('ERR_NETSTACK_IN_USE', `no free ${this.#protocol} port is left`)
  }
}
