// The doors of a relay: the HTTP upgrade to DERP, fast start, which waits for no answer, and WebSocket
// (data-plane §2.1, §2.3, §2.4).
import { request } from 'node:http'
import type { Socket } from 'node:net'
import type { ByteStream } from '../byte-stream.ts'
import { DerpError } from '../errors.ts'
import { socketStream } from './socket-stream.ts'
import { webSocketOn } from './web-socket-stream.ts'

/** What a relay is told at its door. */
export interface Door {
  /** The `Host` header. */
  readonly host: string
  /** The name of the node that would have been better, when this is not the first of its region. */
  readonly ideal: string | undefined
}

/** How much of a refusal's body goes into the error. */
const MAX_REFUSAL = 512

/** Asks for the upgrade and waits for the answer. */
export function upgrade(socket: Socket, door: Door, signal: AbortSignal): Promise<ByteStream> {
  const headers = upgradeHeaders(door)
  return new Promise((resolve, reject) => {
    const asked = request({ createConnection: () => socket, path: '/derp', headers, signal })
    asked.on('error', (error) => reject(signal.aborted ? signal.reason : closed(error)))
    asked.on('upgrade', (_response, upgraded, head) => resolve(socketStream(upgraded, head)))
    asked.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        body = (body + text).slice(0, MAX_REFUSAL)
      })
      response.on('error', () => undefined)
      response.on('close', () => {
        socket.destroy()
        const said = body.trim() === '' ? '' : `: ${body.trim()}`
        reject(new DerpError('ERR_DERP_REFUSED', `the relay answered ${response.statusCode}${said}`))
      })
    })
    asked.end()
  })
}

/** Opens a WebSocket inside the connection. */
export function openWebSocket(
  socket: Socket,
  { host, ideal }: Door,
  signal: AbortSignal,
): Promise<ByteStream> {
  return webSocketOn(socket, { Host: host, ...idealHeader(ideal) }, signal)
}

/** Fast start: the server answers with DERP and nothing else, so there is nothing to wait for (§2.3). */
export function startFast(socket: Socket, door: Door): ByteStream {
  const headers = { ...upgradeHeaders(door), 'Derp-Fast-Start': '1' }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const stream = socketStream(socket, new Uint8Array(0))
  stream.write(Buffer.from(`GET /derp HTTP/1.1\r\n${lines.join('')}\r\n`))
  return stream
}

function upgradeHeaders({ host, ideal }: Door): Record<string, string> {
  return { Host: host, Connection: 'Upgrade', Upgrade: 'DERP', ...idealHeader(ideal) }
}

function idealHeader(ideal: string | undefined): Record<string, string> {
  return ideal === undefined ? {} : { 'Ideal-Node': ideal }
}

function closed(cause: Error): DerpError {
  return new DerpError('ERR_DERP_CLOSED', `the relay hung up: ${cause.message}`, { cause })
}
