// The host's end of the mesh when there is no kernel device: the user-space stack in the place of the TUN.
import { Netstack, NetstackError, type NetstackOutput } from '@mesh/netstack'
import { type Clock, type Driver, drive, type RandomSource } from '@mesh/sansio'
import { batchOf, type PacketBatch, packetAt, type PacketSink } from '@mesh/tun'
import { formatAddress, type IpAddress, parseAddress } from '@mesh/wire/ip'
import { NetError } from './errors.ts'
import type { MeshDatagram, MeshUdpSocket } from './node-api.ts'

/** What stands at the overlay's end: a kernel device or the user-space stack. */
export interface OverlayHost {
  /** Gives packets to the host; the batch is free again when the call returns. */
  write(batch: PacketBatch): number
}

/** The user-space stack as an overlay host. */
export class UserspaceHost implements OverlayHost {
  readonly #stack: Netstack
  readonly #clock: Clock
  readonly #driver: Driver
  readonly #sockets = new Map<number, (datagram: MeshDatagram) => void>()

  /** `fromHost` takes the packets that the stack sends to the mesh. */
  constructor(clock: Clock, random: RandomSource, fromHost: PacketSink) {
    this.#clock = clock
    this.#stack = new Netstack({ addresses: [], random })
    this.#driver = drive(this.#stack, clock, (output) => this.#perform(output, fromHost))
  }

  /** Replaces the addresses the stack answers for. */
  setAddresses(addresses: readonly IpAddress[]): void {
    this.#stack.setAddresses(addresses)
  }

  write(batch: PacketBatch): number {
    for (let index = 0; index < batch.count; index += 1) {
      this.#stack.handlePacket(packetAt(batch, index), this.#clock.now())
      this.#driver.wake()
    }
    return batch.count
  }

  /** Opens a UDP port; 0 picks one. */
  listenUdp(port: number, onDatagram: (datagram: MeshDatagram) => void): MeshUdpSocket {
    const bound = this.#bind(port)
    this.#sockets.set(bound.socket, onDatagram)
    return {
      port: bound.port,
      send: (data, address, toPort) => {
        const to = parseAddress(address)
        if (!to) throw new TypeError(`address is not an IP address: ${address}`)
        this.#stack.sendUdp(bound.socket, { address: to, port: toPort }, data, this.#clock.now())
        this.#driver.wake()
      },
      close: () => {
        this.#sockets.delete(bound.socket)
        this.#stack.closeUdp(bound.socket)
      },
    }
  }

  /** Ends the stack's timers. */
  close(): void {
    this.#driver.close()
  }

  #bind(port: number): { readonly socket: number; readonly port: number } {
    try {
      return this.#stack.bindUdp({ port })
    } catch (cause) {
      if (!(cause instanceof NetstackError) || cause.code !== 'ERR_NETSTACK_IN_USE') throw cause
      throw new NetError('ERR_PORT_IN_USE', `Port ${port} of this node is in use.`, { cause })
    }
  }

  #perform(output: NetstackOutput, fromHost: PacketSink): void {
    if (output.kind === 'packet') fromHost(batchOf([output.packet]))
    if (output.kind !== 'datagram') return
    this.#sockets.get(output.socket)?.({
      data: output.payload.slice(),
      address: formatAddress(output.from.address),
      port: output.from.port,
    })
  }
}
