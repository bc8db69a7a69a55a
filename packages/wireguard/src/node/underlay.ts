// The seat for the sockets of a plain WireGuard interface, and its filling for every platform that Node runs on.
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type Endpoint, formatAddress, parseAddress, unmapAddress } from '@mesh/wire/ip'
import { type PacketBatch, packetOf } from '../packet-batch.ts'

/** UDP of both families on one port. */
export interface Underlay {
  /** The port it is bound to. */
  readonly port: number
  /** What was lost outside the device: datagrams the system would not send, packets the host would not take. */
  readonly losses: Losses
  /** Sends datagrams (lent) in order. What the system refuses is lost, as anything may be on the way. */
  send(batch: PacketBatch, to: Endpoint): void
  /** Opens the sockets anew on another port, 0 for any. Rejects, and goes on as before, when it cannot be had. */
  rebind(port: number): Promise<void>
  /** Sets the mark of what is sent, where the system has such; rejects with code `EOPNOTSUPP` where not. */
  setMark(mark: number): Promise<void>
  /** Closes the sockets. Harmless when repeated. */
  close(): Promise<void>
}

/** Packets lost outside the device, whose own drops are in its counters. */
export interface Losses {
  readonly sendErrors: number
  readonly hostDrops: number
}

/** Takes a datagram, lent until it returns. */
export type DatagramSink = (datagram: Uint8Array, from: Endpoint) => void

/** How many port numbers are tried until both families have the same. */
const MAX_PAIRS = 8
/** Senders remembered as objects: parsing an address for each datagram would cost more than opening it. */
const MAX_SENDERS = 1_024

/** Opens UDP sockets through `node:dgram`: on one address, or on all of both families. */
export async function openUdpUnderlay(
  port: number,
  address: string | undefined,
  sink: DatagramSink,
): Promise<Underlay> {
  const underlay = new UdpUnderlay(address, sink)
  await underlay.rebind(port)
  return underlay
}

class UdpUnderlay implements Underlay {
  readonly #address: string | undefined
  readonly #sink: DatagramSink
  readonly #senders = new Map<string, Endpoint>()
  #sockets: readonly Socket[] = []
  #sendErrors = 0
  #closed = false
  /** Opening takes time: what was asked for later begins when that is done. */
  #changing: Promise<unknown> = Promise.resolve()

  constructor(address: string | undefined, sink: DatagramSink) {
    this.#address = address
    this.#sink = sink
  }

  get port(): number {
    return this.#sockets[0]?.address().port ?? 0
  }

  get losses(): Losses {
    return { sendErrors: this.#sendErrors, hostDrops: 0 }
  }

  send(batch: PacketBatch, to: Endpoint): void {
    // A datagram may come from port 0, but none can be sent there: the socket would throw.
    if (to.port === 0) return
    const family = to.address.length === 4 ? 'IPv4' : 'IPv6'
    const socket = this.#sockets.find((one) => one.address().family === family)
    const address = formatAddress(to.address)
    // The batch is lent and the socket sends later: each datagram is copied.
    for (let i = 0; i < batch.count; i += 1) {
      socket?.send(packetOf(batch, i).slice(), to.port, address, this.#countError)
    }
  }

  rebind(port: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#closed) return
      const before = this.#sockets
      this.#sockets = await this.#open(port)
      for (const socket of before) socket.close()
    })
  }

  setMark(mark: number): Promise<void> {
    return mark === 0 ? Promise.resolve() : Promise.reject(unsupported('fwmark'))
  }

  close(): Promise<void> {
    this.#closed = true
    return this.#inTurn(async () => {
      const closing = this.#sockets
      this.#sockets = []
      await Promise.all(closing.map((socket) => new Promise<void>((resolve) => void socket.close(resolve))))
    })
  }

  #inTurn(change: () => Promise<void>): Promise<void> {
    const done = this.#changing.then(change)
    this.#changing = done.catch(() => undefined)
    return done
  }

  readonly #countError = (error: Error | null): void => {
    if (error !== null) this.#sendErrors += 1
  }

  async #open(port: number): Promise<Socket[]> {
    const address = this.#address
    if (address !== undefined) return [await this.#bind(address.includes(':') ? 'udp6' : 'udp4', port)]
    for (let attempt = 1; ; attempt += 1) {
      const v4 = await this.#bind('udp4', port)
      try {
        return [v4, await this.#bind('udp6', v4.address().port)]
      } catch (error) {
        if (codeOf(error) === 'EADDRINUSE' && port === 0 && attempt < MAX_PAIRS) {
          v4.close()
          continue
        }
        if (codeOf(error) !== 'EADDRINUSE') return [v4] // a machine without IPv6
        v4.close()
        throw error
      }
    }
  }

  async #bind(type: 'udp4' | 'udp6', port: number): Promise<Socket> {
    const socket = createSocket({ type, ipv6Only: type === 'udp6' })
    socket.bind({ port, ...(this.#address === undefined ? {} : { address: this.#address }) })
    try {
      await once(socket, 'listening')
    } catch (error) {
      socket.close()
      throw error
    }
    // ICMP errors come back here from peers that are gone; that is routine.
    socket.on('error', () => undefined)
    socket.on('message', (datagram, { address, port: from }) => {
      const endpoint = this.#senderOf(address, from)
      if (endpoint !== undefined) this.#sink(datagram, endpoint)
    })
    return socket
  }

  #senderOf(address: string, port: number): Endpoint | undefined {
    const key = `${address} ${port}`
    const known = this.#senders.get(key)
    if (known !== undefined) return known
    const bytes = parseAddress(address.split('%')[0] ?? '')
    if (bytes === undefined) return undefined
    if (this.#senders.size >= MAX_SENDERS) this.#senders.clear()
    const endpoint = { address: unmapAddress(bytes), port }
    this.#senders.set(key, endpoint)
    return endpoint
  }
}

/** An error for what this machine cannot do. */
export function unsupported(what: string): Error {
  return Object.assign(new Error(`${what}: not supported by this data plane`), { code: 'EOPNOTSUPP' })
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
