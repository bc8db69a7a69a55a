// From a region of the DERP map to a stream that speaks DERP: TCP, TLS unless told otherwise, and the HTTP
// upgrade (data-plane §2.1, §2.13).
import { once } from 'node:events'
import { request } from 'node:http'
import type { Socket } from 'node:net'
import { connect as connectTls, rootCertificates, type TLSSocket } from 'node:tls'
import type { ByteStream } from '../byte-stream.ts'
import { DerpError } from '../errors.ts'
import type { RelayNode, RelayRegion } from '../region.ts'
import { checkPin, verification } from './certificate.ts'
import { candidatesOf, race } from './race.ts'
import { socketStream } from './socket-stream.ts'

/** How to dial. */
export interface DialOptions {
  /** Without TLS. */
  readonly plain: boolean
  /** Whether IPv4 gives IPv6 a head start. */
  readonly ipv6Works: boolean
  /** PEM certificates to trust besides the system's. */
  readonly extraRoots: readonly string[]
}

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
): Promise<ByteStream> {
  const { socket, node } = await dialFirst(region, options, signal)
  try {
    const secured = options.plain ? socket : await secure(socket, node, options.extraRoots, signal)
    return await upgrade(secured, node, { ...options, ideal: idealFor(region, node) }, signal)
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
    const candidates = candidatesOf(node, options.ipv6Works)
    if (candidates.length === 0) continue
    try {
      return { socket: await race(candidates, node.DERPPort || (options.plain ? 3340 : 443), signal), node }
    } catch (error) {
      signal.throwIfAborted()
      firstError ??= error
    }
  }
  if (firstError !== undefined) throw firstError
  throw new DerpError('ERR_DERP_NO_NODE', `region ${region.RegionID} has no node to dial`)
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
    const why = error instanceof Error ? error.message : String(error)
    throw new DerpError('ERR_DERP_CERTIFICATE', `TLS with ${node.HostName} failed: ${why}`, { cause: error })
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
  const headers: Record<string, string> = {
    Host: hostHeader(node, options.plain),
    Connection: 'Upgrade',
    Upgrade: 'DERP',
  }
  if (options.ideal !== undefined) headers['Ideal-Node'] = options.ideal
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

function hostHeader(node: RelayNode, plain: boolean): string {
  const host = node.HostName.includes(':') ? `[${node.HostName}]` : node.HostName
  const port = node.DERPPort || (plain ? 3340 : 443)
  return port === (plain ? 80 : 443) ? host : `${host}:${port}`
}

function closed(cause: Error): DerpError {
  return new DerpError('ERR_DERP_CLOSED', `the relay hung up: ${cause.message}`, { cause })
}
