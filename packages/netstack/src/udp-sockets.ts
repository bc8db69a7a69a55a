// The UDP sockets of a stack: who is bound to which address and port.
import { addressesEqual, formatAddress, type IpAddress } from '@mesh/wire/ip'
import type { RandomSource } from '@mesh/sansio'
import { NetstackError } from './errors.ts'
import type { UdpSocketId } from './outputs.ts'

/** A bound socket. */
export interface UdpSocket {
  /** Its number. */
  readonly id: UdpSocketId
  /** The one own address it hears, or nothing for all of them. */
  readonly address: IpAddress | undefined
  /** Its port. */
  readonly port: number
}

/** RFC 6335: the ports nobody is assigned. */
const EPHEMERAL_FIRST = 49_152
const EPHEMERAL_COUNT = 65_536 - EPHEMERAL_FIRST

/** Sockets by number and by port. */
export class UdpSockets {
  readonly #byId = new Map<UdpSocketId, UdpSocket>()
  readonly #byPort = new Map<number, UdpSocket[]>()
  readonly #random: RandomSource
  #nextId = 1

  constructor(random: RandomSource) {
    this.#random = random
  }

  /** Binds a socket; port 0 chooses a free one. */
  bind(address: IpAddress | undefined, port: number): UdpSocket {
    const chosen = port === 0 ? this.#freePort(address) : port
    if (this.#taken(address, chosen)) {
      const where = address === undefined ? 'all addresses' : formatAddress(address)
      throw new NetstackError('ERR_NETSTACK_IN_USE', `UDP port ${chosen} of ${where} is in use`)
    }
    const socket = { id: this.#nextId, address: address?.slice(), port: chosen }
    this.#nextId += 1
    this.#byId.set(socket.id, socket)
    this.#byPort.set(chosen, [...(this.#byPort.get(chosen) ?? []), socket])
    return socket
  }

  /** Returns a socket by number. */
  get(id: UdpSocketId): UdpSocket {
    const socket = this.#byId.get(id)
    if (socket === undefined) throw new NetstackError('ERR_NETSTACK_CLOSED', `no UDP socket ${id}`)
    return socket
  }

  /** Forgets a socket; harmless when it is gone. */
  close(id: UdpSocketId): void {
    const socket = this.#byId.get(id)
    if (socket === undefined) return
    this.#byId.delete(id)
    const rest = (this.#byPort.get(socket.port) ?? []).filter((other) => other !== socket)
    if (rest.length === 0) this.#byPort.delete(socket.port)
    else this.#byPort.set(socket.port, rest)
  }

  /** Returns who hears what is sent to this address and port: a socket bound to the address before one for all. */
  find(address: IpAddress, port: number): UdpSocket | undefined {
    const sockets = this.#byPort.get(port)
    if (sockets === undefined) return undefined
    const exact = sockets.find(
      (socket) => socket.address !== undefined && addressesEqual(socket.address, address),
    )
    return exact ?? sockets.find((socket) => socket.address === undefined)
  }

  #taken(address: IpAddress | undefined, port: number): boolean {
    const same = (other: IpAddress | undefined): boolean =>
      address === undefined || other === undefined ? address === other : addressesEqual(address, other)
    return (this.#byPort.get(port) ?? []).some((socket) => same(socket.address))
  }

  /** Starts at a random port, so that strangers cannot guess it, and goes on to the next free one. */
  #freePort(address: IpAddress | undefined): number {
    const bytes = this.#random(2)
    const start = (((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)) % EPHEMERAL_COUNT
    for (let step = 0; step < EPHEMERAL_COUNT; step++) {
      const port = EPHEMERAL_FIRST + ((start + step) % EPHEMERAL_COUNT)
      if (!this.#taken(address, port)) return port
    }
    throw new NetstackError('ERR_NETSTACK_IN_USE', 'no free UDP port is left')
  }
}
