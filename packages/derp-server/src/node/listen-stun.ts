// A STUN answerer on UDP sockets: one for IPv4 and one for IPv6 on the same port, so that an IPv4 client is
// always seen, and answered, as IPv4 (data-plane §3.1).
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4, isIPv6 } from 'node:net'
import { parseAddress } from '@mesh/wire/ip'
import { answerStun } from '../answer-stun.ts'

/** What {@link listenStun} is told. */
export interface StunListenerOptions {
  /** The UDP port; 3478 unless given, 0 takes a free one. */
  readonly port?: number
  /** The address to bind; absent or empty means every IPv4 and IPv6 address of the machine. */
  readonly address?: string
}

/** A STUN answerer that listens. */
export interface StunListener {
  /** The UDP port it listens on. */
  readonly port: number
  /** How many requests were answered. */
  readonly answered: number
  /** How many datagrams were no request of the kind answered here. */
  readonly ignored: number
  /** Stops listening. Idempotent. */
  close(): Promise<void>
}

/** The port clients ask unless the DERP map names another (data-plane §2.15). */
export const STUN_PORT = 3478

/** How often a port that the system chose for IPv4 may turn out to be taken for IPv6. */
const MAX_PORT_TRIES = 10

/** Answers STUN binding requests. Rejects with the system's error, such as `EADDRINUSE`, when it cannot bind. */
export async function listenStun(options: StunListenerOptions = {}): Promise<StunListener> {
  const { port = STUN_PORT, address = '' } = options
  for (let tries = 1; ; tries += 1) {
    try {
      return new UdpStun(await bindAll(port, address))
    } catch (error) {
      if (port !== 0 || tries === MAX_PORT_TRIES) throw error
    }
  }
}

async function bindAll(port: number, address: string): Promise<Socket[]> {
  if (isIPv4(address)) return [await bind('udp4', port, address)]
  if (isIPv6(address) && address !== '::') return [await bind('udp6', port, address)]
  const ipv4 = await bind('udp4', port, '0.0.0.0')
  try {
    return [ipv4, await bind('udp6', ipv4.address().port, '::')]
  } catch (error) {
    if (isMissingFamily(error)) return [ipv4]
    ipv4.close()
    throw error
  }
}

async function bind(type: 'udp4' | 'udp6', port: number, address: string): Promise<Socket> {
  const socket = createSocket({ type, ipv6Only: type === 'udp6' })
  socket.bind(port, address)
  // `once` rejects when 'error' comes first.
  await once(socket, 'listening')
  return socket
}

function isMissingFamily(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL'
}

class UdpStun implements StunListener {
  readonly port: number
  readonly #sockets: readonly Socket[]
  #answered = 0
  #ignored = 0
  #closing: Promise<void> | undefined

  constructor(sockets: readonly Socket[]) {
    this.#sockets = sockets
    this.port = sockets[0]?.address().port ?? 0
    for (const socket of sockets) {
      socket.on('message', (datagram, from) => this.#answer(socket, datagram, from))
      // ICMP errors of clients that left are routine.
      socket.on('error', () => undefined)
    }
  }

  get answered(): number {
    return this.#answered
  }

  get ignored(): number {
    return this.#ignored
  }

  close(): Promise<void> {
    this.#closing ??= Promise.all(this.#sockets.map(closeSocket)).then(() => undefined)
    return this.#closing
  }

  #answer(socket: Socket, datagram: Uint8Array, from: RemoteInfo): void {
    // Whoever sends from port 0 wants no answer (RFC 768), and there is no way to send one there.
    if (from.port === 0) return void (this.#ignored += 1)
    // A link-local source carries its zone (`fe80::1%eth0`), which is no part of the address.
    const address = parseAddress(from.address.replace(/%.*/, ''))
    const answer = address && answerStun(datagram, { address, port: from.port })
    if (answer === undefined) {
      this.#ignored += 1
      return
    }
    this.#answered += 1
    socket.send(answer, from.port, from.address, () => undefined)
  }
}

async function closeSocket(socket: Socket): Promise<void> {
  const closed = once(socket, 'close')
  socket.close()
  await closed
}
