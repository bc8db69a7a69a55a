// From a region of the DERP map to a stream that speaks DERP: TCP, TLS unless told otherwise, and the HTTP
// upgrade (data-plane §2.1, §2.13).
import { once } from 'node:events'
import { request } from 'node:http'
import type { Socket } from 'node:net'
import { connect as connectTls, rootCertificates, type TLSSocket } from 'node:tls'
import type { ByteStream } from '../byte-stream.ts'
import type { Dialled } from '../driven-connection.ts'
import { DerpError } from '../errors.ts'
import type { RelayNode, RelayRegion } from '../region.ts'
import { announcedKey, checkPin, verification } from './certificate.ts'
import { candidatesOf, race } from './race.ts'
import { socketStream } from './socket-stream.ts'
import { webSocketOn } from './web-socket-stream.ts'

/** How to dial. */
export interface DialOptions {
  /** Without TLS. */
  readonly plain: boolean
  /** Whether IPv4 gives IPv6 a head start. */
  readonly ipv6Works: boolean
  /** PEM certificates to trust besides the system's. */
  readonly extraRoots: readonly string[]
  /** Inside a WebSocket. */
  readonly webSocket: boolean
}

/** The ports of a relay whose map entry names none (data-plane §2.13). */
const TLS_PORT = 443
const PLAIN_PORT = 3340

/** How much of a refusal's body goes into the error. */
const MAX_REFUSAL = 512

/**
 * Opens a stream to a region: its nodes in order, those for STUN only left out; the first that answers by TCP
 * is the one (C4).
 *
 * @throws DerpError; the signal's reason when it is aborted.
 */
export async function dialRegion(
  region: RelayRegion,
  options: DialOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  const reached = await dialFirst(region, options, signal)
  const upgradeOptions = { ...options, ideal: idealFor(region, reached.node) }
  try {
    return await open(reached, upgradeOptions, signal)
  } catch (error) {
    if (options.plain || !reached.node.InsecureForTests || !isNotTls(error)) throw error
    // Nothing is verified at such a node, so nothing is lost when it turns out to speak no TLS at all.
    const plain = { ...upgradeOptions, plain: true }
    return await open({ ...reached, socket: await dialNode(reached.node, options, signal) }, plain, signal)
  }
}

async function open(
  { socket, node }: Reached,
  options: UpgradeOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  try {
    const begin = options.webSocket ? openWebSocket : upgrade
    if (options.plain) return { stream: await begin(socket, node, options, signal) }
    const secured = await secure(socket, node, options.extraRoots, signal)
    // There is no fast start inside a WebSocket (§2.4).
    const serverKey = options.webSocket ? undefined : announcedKey(secured)
    if (serverKey === undefined) return { stream: await begin(secured, node, options, signal) }
    return { stream: startFast(secured, node, options), serverKey }
  } catch (error) {
    socket.on('error', () => undefined)
    socket.destroy()
    throw error
  }
}

interface Reached {
  readonly socket: Socket
  readonly node: RelayNode
}

async function dialFirst(region: RelayRegion, options: DialOptions, signal: AbortSignal): Promise<Reached> {
  let firstError: unknown
  for (const node of region.Nodes ?? []) {
    if (node.STUNOnly) continue
    if (candidatesOf(node, options.ipv6Works).length === 0) continue
    try {
      return { socket: await dialNode(node, options, signal), node }
    } catch (error) {
      signal.throwIfAborted()
      firstError ??= error
    }
  }
  if (firstError !== undefined) throw firstError
  throw new DerpError('ERR_DERP_NO_NODE', `region ${region.RegionID} has no node to dial`)
}

function dialNode(node: RelayNode, options: DialOptions, signal: AbortSignal): Promise<Socket> {
  return race(candidatesOf(node, options.ipv6Works), portOf(node, options.plain), signal)
}

function portOf(node: RelayNode, plain: boolean): number {
  return node.DERPPort || (plain ? PLAIN_PORT : TLS_PORT)
}

// A server that is not the first of its region is told which one would have been better.
function idealFor(region: RelayRegion, node: RelayNode): string | undefined {
  const first = region.Nodes?.[0]
  return first === undefined || first === node ? undefined : first.Name
}

async function secure(
  socket: Socket,
  node: RelayNode,
  extraRoots: readonly string[],
  signal: AbortSignal,
): Promise<TLSSocket> {
  const ca = extraRoots.length === 0 ? {} : { ca: [...rootCertificates, ...extraRoots] }
  const secured = connectTls({ socket, ...verification(node), ...ca, minVersion: 'TLSv1.2' })
  try {
    await once(secured, 'secureConnect', { signal })
  } catch (error) {
    secured.on('error', () => undefined)
    secured.destroy()
    signal.throwIfAborted()
    throw tlsError(node, error)
  }
  checkPin(node, secured)
  return secured
}

interface UpgradeOptions extends DialOptions {
  readonly ideal: string | undefined
}

function upgrade(
  socket: Socket,
  node: RelayNode,
  options: UpgradeOptions,
  signal: AbortSignal,
): Promise<ByteStream> {
  const headers = upgradeHeaders(node, options)
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

function openWebSocket(
  socket: Socket,
  node: RelayNode,
  { plain, ideal }: UpgradeOptions,
  signal: AbortSignal,
): Promise<ByteStream> {
  const idealNode: Record<string, string> = ideal === undefined ? {} : { 'Ideal-Node': ideal }
  return webSocketOn(socket, { Host: hostHeader(node, plain), ...idealNode }, signal)
}

// Fast start: the server answers with DERP and nothing else, so there is nothing to wait for (§2.3).
function startFast(socket: Socket, node: RelayNode, options: UpgradeOptions): ByteStream {
  const headers = { ...upgradeHeaders(node, options), 'Derp-Fast-Start': '1' }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const stream = socketStream(socket, new Uint8Array(0))
  stream.write(Buffer.from(`GET /derp HTTP/1.1\r\n${lines.join('')}\r\n`))
  return stream
}

function upgradeHeaders(node: RelayNode, { plain, ideal }: UpgradeOptions): Record<string, string> {
  return {
    Host: hostHeader(node, plain),
    Connection: 'Upgrade',
    Upgrade: 'DERP',
    ...(ideal === undefined ? {} : { 'Ideal-Node': ideal }),
  }
}

function hostHeader(node: RelayNode, plain: boolean): string {
  const host = node.HostName.includes(':') ? `[${node.HostName}]` : node.HostName
  const port = portOf(node, plain)
  return port === (plain ? 80 : TLS_PORT) ? host : `${host}:${port}`
}

function closed(cause: Error): DerpError {
  return new DerpError('ERR_DERP_CLOSED', `the relay hung up: ${cause.message}`, { cause })
}

// System errors and those of the TLS protocol have names of these shapes; every other name is a verdict on the
// certificate.
function tlsError(node: RelayNode, cause: unknown): DerpError {
  const code = /^(E[A-Z]+|ERR_SSL_\w+)$/.test(systemCodeOf(cause)) ? 'ERR_DERP_TLS' : 'ERR_DERP_CERTIFICATE'
  const why = cause instanceof Error ? cause.message : String(cause)
  return new DerpError(code, `TLS with ${node.HostName} failed: ${why}`, { cause })
}

// What OpenSSL says when the answer to its hello is HTTP.
function isNotTls(error: unknown): boolean {
  const code = error instanceof DerpError ? systemCodeOf(error.cause) : ''
  return (
    code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG'
  )
}

function systemCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
