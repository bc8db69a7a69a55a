// How far is a relay where only TCP gets out? A request over a connection that stands already, timed: the handshakes
// before it say more about the relay's processor than about the distance (data-plane.md section 3.5).
import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { connect as connectTcp, type Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { connect as connectTls } from 'node:tls'

/** Which relay to measure, and how to reach it. */
export interface RelayTarget {
  /** Its name: looked up unless `address` is given, asked for in TLS, and verified. */
  readonly hostName: string
  /** Its address, when known. */
  readonly address?: string
  /** Its TCP port. Default: 443, or 80 without TLS. */
  readonly port?: number
  /** Without TLS. */
  readonly plain?: boolean
  /** PEM certificates to trust instead of the system's. */
  readonly roots?: readonly string[]
}

/** How long connecting and asking may take together. */
export const MEASURE_TIMEOUT = 5_000

/**
 * Measures how long a relay takes to answer a request for `/derp/latency-check`, in milliseconds.
 *
 * @returns `undefined` when it cannot be reached or believed, or answers with another status than 200 to 299. Never
 * rejects.
 */
export async function measureRelayByHttps(target: RelayTarget): Promise<number | undefined> {
  const signal = AbortSignal.timeout(MEASURE_TIMEOUT)
  const socket = open(target)
  // Whatever goes wrong with it is heard below; the end by time is ours.
  socket.on('error', () => undefined)
  const giveUp = (): void => void socket.destroy()
  signal.addEventListener('abort', giveUp)
  try {
    await once(socket, target.plain === true ? 'connect' : 'secureConnect', { signal })
    return await ask(socket, target.hostName, signal)
  } catch {
    return undefined
  } finally {
    signal.removeEventListener('abort', giveUp)
    socket.destroy()
  }
}

function open({ hostName, address = hostName, port, plain, roots }: RelayTarget): Socket {
  if (plain === true) return connectTcp({ host: address, port: port ?? 80 })
  const isName = !/^[0-9.]+$|:/.test(hostName)
  return connectTls({
    host: address,
    port: port ?? 443,
    ...(isName ? { servername: hostName } : {}),
    ...(roots === undefined ? {} : { ca: [...roots] }),
  })
}

async function ask(socket: Socket, hostName: string, signal: AbortSignal): Promise<number | undefined> {
  const began = performance.now()
  const asking: ClientRequest = request({
    createConnection: () => socket,
    path: '/derp/latency-check',
    headers: { Host: hostName, Connection: 'close' },
    signal,
  })
  asking.end()
  const [response] = (await once(asking, 'response', { signal })) as [IncomingMessage]
  response.resume()
  const { statusCode = 0 } = response
  return statusCode >= 200 && statusCode <= 299 ? performance.now() - began : undefined
}
