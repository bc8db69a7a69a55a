// A DNS server's sockets: UDP, and TCP at the same address (RFC 7766). It decides nothing; it bounds what strangers hold open.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { frameMessage, MessageReader } from '../framing.ts'

/** The most TCP connections at once, and how long one may take to bring a whole query, milliseconds. */
const MAX_CONNECTIONS = 128
const QUERY_TIMEOUT = 5000
/** Who sends queries but reads no answers is hung up on at this many bytes. */
const MAX_QUEUED = 1 << 20

/** What answers queries. */
export interface ListenDnsOptions {
  /** The address to listen on. */
  readonly host: string
  /** The port to listen on; 0 for any that is free for both. */
  readonly port: number
  /** Returns the answer to a query, or `undefined` for none. Must not throw. */
  readonly answer: (
    query: Uint8Array,
    context: { readonly transport: 'udp' | 'tcp' },
  ) => Uint8Array | undefined
}

/** A running DNS server. */
export interface DnsListener {
  /** Where it listens. */
  readonly host: string
  /** The port, of both UDP and TCP. */
  readonly port: number
  /** Lets go of the sockets. */
  close(): Promise<void>
}

/** Starts answering. Rejects with the system's error when the address cannot be had. */
export async function listenDns({ host, port, answer }: ListenDnsOptions): Promise<DnsListener> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    serveTcp(socket, answer)
  })
  server.maxConnections = MAX_CONNECTIONS
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host, port }, resolve)
  })
  const bound = (server.address() as AddressInfo).port
  const udp = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  try {
    await bind(udp, host, bound)
  } catch (error) {
    server.close()
    throw error
  }
  udp.on('message', (query, { address, port: from }) => {
    // Whoever sends from port 0 wants no answer (RFC 768), and there is no way to send one there.
    if (from === 0) return
    const message = answer(query, { transport: 'udp' })
    // An address that nothing can be sent to is its sender's own doing.
    if (message) udp.send(message, from, address, () => undefined)
  })
  // Such errors are those of single datagrams: the socket goes on.
  udp.on('error', () => undefined)
  return { host, port: bound, close: () => close(server, sockets, udp) }
}

function bind(udp: UdpSocket, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    udp.once('error', reject)
    udp.bind({ address, port }, () => {
      udp.off('error', reject)
      resolve()
    })
  })
}

function serveTcp(socket: Socket, answer: ListenDnsOptions['answer']): void {
  const reader = new MessageReader()
  // Not the socket's own, which a byte now and then puts off.
  const patience = setTimeout(() => socket.destroy(), QUERY_TIMEOUT)
  socket.on('close', () => clearTimeout(patience))
  socket.on('error', () => undefined)
  socket.on('data', (chunk: Uint8Array) => {
    reader.push(chunk)
    for (let query = reader.next(); query !== undefined; query = reader.next()) {
      patience.refresh()
      const message = answer(query, { transport: 'tcp' })
      if (!message || socket.writableLength > MAX_QUEUED) return void socket.destroy()
      socket.write(frameMessage(message))
    }
  })
}

async function close(server: Server, sockets: Iterable<Socket>, udp: UdpSocket): Promise<void> {
  for (const socket of sockets) socket.destroy()
  const ended = [
    new Promise<void>((resolve) => {
      server.close(() => resolve())
    }),
    new Promise<void>((resolve) => {
      udp.close(resolve)
    }),
  ]
  await Promise.all(ended)
}
