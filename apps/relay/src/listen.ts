// Sockets that listen, and one sentence when they cannot.
import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { listenStun, type StunListener } from '@mesh/derp-server/node'
import { reasonOf, systemCodeOf } from '@mesh/sansio/node'
import { Failure } from './failure.ts'

/** Slow requests are given up after so long; upgraded connections are not concerned. */
const REQUEST_TIMEOUT = 30_000
const HEADERS_TIMEOUT = 10_000

/** A server that listens. */
export interface OpenServer {
  readonly port: number
  /** Lets nobody new in; who is connected stays. Idempotent. */
  stopListening(): void
  /** Hangs up on everybody and ends. */
  close(): Promise<void>
}

/** Makes a server listen; no host is every address. Throws Failure when it cannot. */
export async function listen(server: Server, host: string, port: number): Promise<OpenServer> {
  server.requestTimeout = REQUEST_TIMEOUT
  server.headersTimeout = HEADERS_TIMEOUT
  // HTTP does not know of those that never got as far as a request.
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  try {
    server.listen(host === '' ? { port } : { port, host })
    await once(server, 'listening')
  } catch (cause) {
    throw cannotListen('TCP', host, port, cause)
  }
  const closed = once(server, 'close')
  return {
    port: (server.address() as AddressInfo).port,
    stopListening: () => void server.close(),
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** Starts answering STUN; no host is every address. Throws Failure when it cannot. */
export async function openStun(host: string, port: number): Promise<StunListener> {
  try {
    return await listenStun({ port, address: host })
  } catch (cause) {
    throw cannotListen('UDP', host, port, cause)
  }
}

/** Returns the failure that says why a port cannot be listened on. */
export function cannotListen(transport: string, host: string, port: number, cause: unknown): Failure {
  const where = `${transport} port ${port}${host === '' ? '' : ` of ${host}`}`
  switch (systemCodeOf(cause)) {
    case 'EADDRINUSE':
      return new Failure(`${where} is in use by another program.`, undefined, { cause })
    case 'EACCES':
      return new Failure(`Listening on ${where} is not permitted.`, undefined, { cause })
    default:
      return new Failure(`Listening on ${where} failed: ${reasonOf(cause)}.`, undefined, { cause })
  }
}
