// The DatagramSocket seat filled with node:dgram: one socket for each family, on the same port number, so that
// every local address may be told with one port (data-plane.md sections 5.2 and 5.8).
import type { RemoteInfo, Socket } from 'node:dgram'
import { type Endpoint, formatAddress, parseAddress } from '@mesh/wire/ip'
import type { DatagramListener, DatagramSocket, SocketPorts } from '../datagram-socket.ts'
import { bindSocket, closeSocket } from './bind-socket.ts'
import { SendRing } from './send-ring.ts'

/** How {@link openUdpSockets} binds. */
export interface UdpOptions {
  /** The port to ask for; 0 or none for any. */
  readonly port?: number
  /** Bytes of each socket's buffers; the system may give less. Default 7 MiB. */
  readonly bufferSize?: number
}

/** Bytes of socket buffer asked for in each direction. */
export const SOCKET_BUFFER_SIZE = 7 * 1024 * 1024

/** How many port numbers are tried until both families have the same. */
const MAX_PAIRS = 8
/** How many senders are remembered as objects; beyond it the memory begins anew. */
const MAX_REMEMBERED_SENDERS = 4_096

/**
 * Opens an IPv4 and, where the machine has it, an IPv6 socket on the same port number.
 *
 * Without IPv6, or when that port is not to be had for it although it was asked for by number, there is IPv4 alone.
 *
 * @throws Error (with the system's `code`, such as `EADDRINUSE`) when the IPv4 socket cannot be bound.
 */
export async function openUdpSockets(options: UdpOptions = {}): Promise<DatagramSocket> {
  const sockets = new UdpSockets(options.bufferSize ?? SOCKET_BUFFER_SIZE)
  await sockets.bind(options.port ?? 0, 0)
  return sockets
}

/** What the system adds to an error of a send. */
interface SystemError extends Error {
  readonly code?: string
  readonly address?: string
  readonly port?: number
}

class UdpSockets implements DatagramSocket {
  readonly #bufferSize: number
  readonly #senders = new Map<string, Endpoint>()
  readonly #texts = new WeakMap<Endpoint, string>()
  readonly #ringV4 = new SendRing()
  readonly #ringV6 = new SendRing()
  /** One function for all sends: what went wrong names the destination by itself. */
  readonly #onSent = (error: Error | null): void => {
    if (error !== null) this.#report(error)
  }
  #v4: Socket | undefined
  #v6: Socket | undefined
  #ports: SocketPorts = { v4: undefined, v6: undefined }
  #listener: DatagramListener | undefined
  #closed = false
  /** Opening and closing take time: what was asked for later begins when that is done. */
  #changing: Promise<unknown> = Promise.resolve()

  constructor(bufferSize: number) {
    this.#bufferSize = bufferSize
  }

  get ports(): SocketPorts {
    return this.#ports
  }

  listen(listener: DatagramListener): void {
    this.#listener = listener
  }

  send(bytes: Uint8Array, to: Endpoint): void {
    const isV4 = to.address.length === 4
    const socket = isV4 ? this.#v4 : this.#v6
    // A datagram may come from port 0, but none can be sent there: the socket would throw.
    if (socket === undefined || to.port === 0) return
    const ring = isV4 ? this.#ringV4 : this.#ringV6
    const copy = ring.copy(bytes, socket.getSendQueueCount())
    if (copy !== undefined) socket.send(copy, to.port, this.#textOf(to), this.#onSent)
  }

  rebind(): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#closed) return
      const wanted = this.#ports.v4 ?? 0
      await this.#closeBoth()
      await this.bind(wanted, 0).catch(() => this.bind(0, 0))
    })
  }

  close(): Promise<void> {
    this.#closed = true
    this.#listener = undefined
    return this.#inTurn(() => this.#closeBoth())
  }

  /** Binds `wanted`; when that is 0, tries until both families have the number that the system gave to the first. */
  async bind(wanted: number, attempt: number): Promise<void> {
    const v4 = await bindSocket('udp4', wanted, this.#bufferSize)
    const port = v4.address().port
    const v6 = await bindSocket('udp6', port, this.#bufferSize).catch((error: SystemError) => error)
    if (v6 instanceof Error && v6.code === 'EADDRINUSE' && wanted === 0 && attempt < MAX_PAIRS) {
      await closeSocket(v4)
      return this.bind(wanted, attempt + 1)
    }
    this.#v4 = this.#adopt(v4)
    this.#v6 = v6 instanceof Error ? undefined : this.#adopt(v6)
    this.#ports = { v4: port, v6: this.#v6 === undefined ? undefined : port }
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(change)
    this.#changing = done.catch(() => undefined)
    return done
  }

  #adopt(socket: Socket): Socket {
    // Without a listener for it an ICMP error from a dead peer would end the process.
    socket.on('error', (error) => this.#report(error))
    socket.on('message', (bytes, info) => this.#listener?.onDatagram(bytes, this.#endpointOf(info)))
    return socket
  }

  #endpointOf(info: RemoteInfo): Endpoint {
    const key = `${info.address} ${info.port}`
    const known = this.#senders.get(key)
    if (known !== undefined) return known
    if (this.#senders.size >= MAX_REMEMBERED_SENDERS) this.#senders.clear()
    // A zone (`fe80::1%eth0`) is of no use to anybody but this machine.
    const address = parseAddress(info.address.split('%')[0] ?? '') ?? new Uint8Array(4)
    const endpoint: Endpoint = { address, port: info.port }
    this.#senders.set(key, endpoint)
    return endpoint
  }

  #textOf(to: Endpoint): string {
    let text = this.#texts.get(to)
    if (text === undefined) {
      text = formatAddress(to.address)
      this.#texts.set(to, text)
    }
    return text
  }

  #report(error: Error): void {
    const { code, address, port } = error as SystemError
    const parsed = address === undefined ? undefined : parseAddress(address)
    const to = parsed === undefined || port === undefined ? undefined : { address: parsed, port }
    this.#listener?.onTrouble({ code: code ?? 'UNKNOWN', to })
  }

  async #closeBoth(): Promise<void> {
    const open = [this.#v4, this.#v6].filter((socket) => socket !== undefined)
    this.#v4 = undefined
    this.#v6 = undefined
    this.#ports = { v4: undefined, v6: undefined }
    await Promise.all(open.map(closeSocket))
  }
}
