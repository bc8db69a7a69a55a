// The two upgrades of `/ts2021`, as byte streams: `POST` to the control protocol itself (control protocol §2.1), and `GET`
// to a WebSocket for networks whose proxies forward nothing else (§2.2). Message boundaries of the latter mean nothing.
import { type ClientRequest, request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { HANDSHAKE_HEADER, UPGRADE_PROTOCOL } from '@mesh/wire/control'
import { createWebSocketStream, WebSocket } from 'ws'
import { ControlError } from '../errors.ts'
import { agentFor } from './agent.ts'
import { lookupOf } from './dial-plan.ts'
import type { ServerUrl } from './server-url.ts'

/** What an upgrade needs. */
export interface UpgradeOptions {
  /** The server. */
  readonly server: ServerUrl
  /** Certificates to trust besides the system's, PEM. */
  readonly ca?: string | undefined
  /** The address to dial in place of what the server's name resolves to. */
  readonly address?: string | undefined
  /** Ends the attempt. */
  readonly signal: AbortSignal
}

/** A stream on which the server's Noise response comes next. */
export interface Upgraded {
  readonly stream: Duplex
  /** Bytes that came with the upgrade's answer. */
  readonly head: Uint8Array
}

/** A server answers an upgrade at once; after this much silence something on the way is taken to have swallowed it. */
const UPGRADE_TIMEOUT = 5000
/** The longest message taken; servers put one record or a few into each. */
const MAX_MESSAGE = 1 << 20
/** TCP asks the other side for a sign of life after this much silence. */
const TCP_KEEP_ALIVE = 30_000

/** Tells whether the way took the request but not the upgrade, so that another kind of upgrade may get through. */
export function isUpgradeRefused(error: unknown): boolean {
  return error instanceof ControlError && error.code === 'ERR_CONTROL_UPGRADE'
}

/** Upgrades to the control protocol. Rejects with a ControlError `ERR_CONTROL_UPGRADE` when something refuses to. */
export function openUpgrade(options: UpgradeOptions, initiation: Uint8Array): Promise<Upgraded> {
  const { server, signal } = options
  return new Promise((resolve, reject) => {
    const request = ask(options, initiation)
    const refuse = (why: string): void => {
      reject(upgradeRefused(server, why))
      request.destroy()
    }
    request.setTimeout(UPGRADE_TIMEOUT, () => refuse('it did not answer'))
    request.on('error', (error: NodeJS.ErrnoException) => {
      const hungUp = error.code === 'ECONNRESET' && !signal.aborted
      reject(hungUp ? upgradeRefused(server, 'it hung up', error) : error)
    })
    request.on('response', (response) => {
      response.resume()
      refuse(`status ${response.statusCode}`)
    })
    request.on('upgrade', (response, socket, head) => {
      if (response.headers.upgrade !== UPGRADE_PROTOCOL) {
        socket.destroy()
        return refuse('it switched to another protocol')
      }
      keepAlive(socket)
      resolve({ stream: socket, head })
    })
    request.end()
  })
}

/** Upgrades to a WebSocket. Rejects with what the socket said, or a ControlError `ERR_CONTROL_UPGRADE`. */
export function openWebSocket(options: UpgradeOptions, initiation: Uint8Array): Promise<Upgraded> {
  const { server, ca, address, signal } = options
  const scheme = server.secure ? 'wss' : 'ws'
  const query = new URLSearchParams({ [HANDSHAKE_HEADER]: base64(initiation) })
  const url = `${scheme}://${server.authority}${server.basePath}/ts2021?${query.toString()}`
  return new Promise((resolve, reject) => {
    const webSocket = new WebSocket(url, UPGRADE_PROTOCOL, {
      agent: agentFor(server),
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE,
      handshakeTimeout: UPGRADE_TIMEOUT,
      ...(address === undefined ? {} : { lookup: lookupOf(address) }),
      ...(ca === undefined ? {} : { ca }),
    })
    const giveUp = (): void => webSocket.terminate()
    signal.addEventListener('abort', giveUp, { once: true })
    // Made at once: the server's response may come in one piece with its 101.
    const stream = createWebSocketStream(webSocket)
    stream.on('error', reject)
    webSocket.on('upgrade', ({ socket }) => keepAlive(socket))
    webSocket.on('unexpected-response', (request, { statusCode }) => {
      reject(upgradeRefused(server, `status ${statusCode}, for a WebSocket too`))
      request.destroy()
    })
    webSocket.on('open', () => {
      signal.removeEventListener('abort', giveUp)
      stream.off('error', reject)
      resolve({ stream, head: new Uint8Array(0) })
    })
  })
}

function ask({ server, ca, address, signal }: UpgradeOptions, initiation: Uint8Array): ClientRequest {
  const send = server.secure ? httpsRequest : httpRequest
  return send({
    method: 'POST',
    host: server.host,
    port: server.port,
    path: `${server.basePath}/ts2021`,
    headers: {
      Host: server.authority,
      Upgrade: UPGRADE_PROTOCOL,
      Connection: 'upgrade',
      [HANDSHAKE_HEADER]: base64(initiation),
      'Content-Length': 0,
    },
    agent: agentFor(server),
    signal,
    ...(address === undefined ? {} : { lookup: lookupOf(address) }),
    ...(ca === undefined ? {} : { ca }),
  })
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

function keepAlive(socket: Socket): void {
  // The time an upgrade may take is not the time a connection may be silent.
  socket.setTimeout(0)
  socket.setNoDelay(true)
  socket.setKeepAlive(true, TCP_KEEP_ALIVE)
}

function upgradeRefused(server: ServerUrl, why: string, cause?: unknown): ControlError {
  const message = `the control server at ${server.text} did not switch protocols (${why}); does a proxy stand before it?`
  return new ControlError('ERR_CONTROL_UPGRADE', message, cause === undefined ? undefined : { cause })
}
