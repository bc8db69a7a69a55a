// From a region of the DERP map to a stream that speaks DERP: TCP, directly or by a proxy, TLS unless told otherwise,
// and the HTTP upgrade (data-plane §2.1, §2.13).
import type { Socket } from 'node:net'
import type { Dialled } from '../driven-connection.ts'
import { DerpError } from '../errors.ts'
import type { RelayNode, RelayRegion } from '../region.ts'
import { announcedKey } from './certificate.ts'
import { connectThrough, type ProxyTarget } from './proxy.ts'
import { candidatesOf, race } from './race.ts'
import { isNotTls, secure } from './secure.ts'
import { type Door, openWebSocket, startFast, upgrade } from './upgrade.ts'

/** How to dial. */
export interface DialOptions {
  /** Without TLS. */
  readonly plain: boolean
  /** Whether IPv6 gets a head start over IPv4. */
  readonly ipv6Works: boolean
  /** PEM certificates to trust besides the system's. */
  readonly extraRoots: readonly string[]
  /** Inside a WebSocket. */
  readonly webSocket: boolean
  /** By which proxy a target is reached; `undefined` is directly. */
  readonly proxyFor: (target: ProxyTarget) => URL | undefined
}

/** The ports of a relay whose map entry names none (data-plane §2.13). */
const TLS_PORT = 443
const PLAIN_PORT = 3340

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
  const ideal = idealFor(region, reached.node)
  try {
    return await open(reached, ideal, options, signal)
  } catch (error) {
    if (options.plain || !reached.node.InsecureForTests || !isNotTls(error)) throw error
    // Nothing is verified at such a node, so nothing is lost when it turns out to speak no TLS at all.
    const socket = await dialNode(reached.node, options, signal)
    return await open({ ...reached, socket }, ideal, { ...options, plain: true }, signal)
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

async function dialNode(node: RelayNode, options: DialOptions, signal: AbortSignal): Promise<Socket> {
  const target = { host: node.HostName, port: portOf(node, options.plain), secure: !options.plain }
  const proxy = options.proxyFor(target)
  if (proxy !== undefined) return connectThrough(proxy, target, signal)
  const candidates = candidatesOf(node, options.ipv6Works)
  if (candidates.length > 0) return race(candidates, target.port, signal)
  throw new DerpError('ERR_DERP_NO_NODE', `the map has neither IPv4 nor IPv6 for ${node.HostName}`)
}

async function open(
  { socket, node }: Reached,
  ideal: string | undefined,
  options: DialOptions,
  signal: AbortSignal,
): Promise<Dialled> {
  const door: Door = { host: hostHeader(node, options.plain), ideal }
  const begin = options.webSocket ? openWebSocket : upgrade
  try {
    if (options.plain) return { stream: await begin(socket, door, signal) }
    const secured = await secure(socket, node, options.extraRoots, signal)
    // There is no fast start inside a WebSocket (§2.4).
    const serverKey = options.webSocket ? undefined : announcedKey(secured)
    if (serverKey === undefined) return { stream: await begin(secured, door, signal) }
    return { stream: startFast(secured, door), serverKey }
  } catch (error) {
    socket.on('error', () => undefined)
    socket.destroy()
    throw error
  }
}

function portOf(node: RelayNode, plain: boolean): number {
  return node.DERPPort || (plain ? PLAIN_PORT : TLS_PORT)
}

function hostHeader(node: RelayNode, plain: boolean): string {
  const host = node.HostName.includes(':') ? `[${node.HostName}]` : node.HostName
  const port = portOf(node, plain)
  return port === (plain ? 80 : TLS_PORT) ? host : `${host}:${port}`
}

// A server that is not the first of its region is told which one would have been better.
function idealFor(region: RelayRegion, node: RelayNode): string | undefined {
  const first = region.Nodes?.[0]
  return first === undefined || first === node ? undefined : first.Name
}
