// Extra UDP sockets, opened by the first datagram that leaves by them. The machine opens many for a few seconds and keeps
// the one that becomes a path.
import { createSocket, type Socket } from 'node:dgram'
import { type Endpoint, formatAddress, parseAddress } from '@mesh/wire/ip'
import type { Hop } from '../hop.ts'
import type { Nat64Sockets } from './nat64-sockets.ts'

/** Senders remembered as objects for one door; there is one peer behind it. */
const MAX_SENDERS = 16

interface Door {
  readonly socket: Socket
  readonly senders: Map<string, Hop>
}

/** The doors that are open. */
export class DoorSockets {
  readonly #doors = new Map<number, Door>()
  readonly #onDatagram: (bytes: Uint8Array, from: Hop) => void
  readonly #nat64: Pick<Nat64Sockets, 'toOuter' | 'toInner'>

  /**
   * @param nat64 - Knows where an endpoint is on the wire: doors are opened toward IPv4, which may be reached through IPv6.
   * @param onDatagram - Takes what comes in; `from` names the door.
   */
  constructor(
    nat64: Pick<Nat64Sockets, 'toOuter' | 'toInner'>,
    onDatagram: (bytes: Uint8Array, from: Hop) => void,
  ) {
    this.#nat64 = nat64
    this.#onDatagram = onDatagram
  }

  /** Sends by a door, and opens it when it is not. Dropped when the system has no more sockets. */
  send(door: number, bytes: Uint8Array, to: Endpoint): void {
    const { address, port } = this.#nat64.toOuter(to)
    if (port === 0) return
    const { socket } = this.#doors.get(door) ?? this.#open(door, address.length === 4 ? 'udp4' : 'udp6')
    socket.send(bytes.slice(), port, formatAddress(address), () => undefined)
  }

  /** Closes a door. */
  close(door: number): void {
    this.#doors.get(door)?.socket.close()
    this.#doors.delete(door)
  }

  /** Closes all. */
  closeAll(): void {
    for (const door of this.#doors.keys()) this.close(door)
  }

  #open(number: number, type: 'udp4' | 'udp6'): Door {
    const socket = createSocket({ type, ipv6Only: type === 'udp6' })
    const door: Door = { socket, senders: new Map() }
    this.#doors.set(number, door)
    // Such as too many open files: this door leads nowhere, and is closed with the others.
    socket.on('error', () => undefined)
    socket.on('message', (bytes, { address, port }) => {
      const key = `${address} ${port}`
      const known = door.senders.get(key) ?? this.#hopOf(address, port, number)
      if (known === undefined) return
      if (door.senders.size >= MAX_SENDERS) door.senders.clear()
      door.senders.set(key, known)
      this.#onDatagram(bytes, known)
    })
    return door
  }

  /** Nobody outside has an address with a zone (`fe80::1%eth0`). */
  #hopOf(text: string, port: number, door: number): Hop | undefined {
    const address = parseAddress(text)
    return address && { ...this.#nat64.toInner({ address, port }), door }
  }
}
