// A ping of a peer's PeerAPI: one HTTP question through the tunnel, as a program would put it, and how long that takes with
// connecting. It tells that the peer's own programs can be reached, not only its daemon.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { Duplex } from 'node:stream'
import type { MapNode } from '@mesh/netmap'
import { systemClock } from '@mesh/sansio/node'
import { formatEndpoint, type IpAddress } from '@mesh/wire/ip'
import type { PingResult } from '../status.ts'

/** Opens a connection through the user-space stack; left out where the kernel knows the way. */
export type Connect = (port: number) => Promise<Duplex>

/** Returns where a node says that its PeerAPI is, for an address of its; `undefined` when it has none of that family. */
export function peerApiUrl({ source }: Pick<MapNode, 'source'>, address: IpAddress): string | undefined {
  const protocol = address.length === 4 ? 'peerapi4' : 'peerapi6'
  const service = source.Hostinfo?.Services?.find(({ Proto, Port }) => Proto === protocol && isPort(Port))
  return service && `http://${formatEndpoint({ address, port: service.Port })}`
}

/** Asks; every kind of failure is told in `Err`. */
export async function pingPeerApi(
  url: string,
  timeout: number,
  connect: Connect | undefined,
): Promise<Partial<PingResult>> {
  const began = systemClock.now()
  const signal = AbortSignal.timeout(timeout)
  const late = once(signal, 'abort').then(() => 'timed out')
  const Err = await Promise.race([ask(new URL(url), signal, connect), late])
  return { PeerAPIURL: url, Err, LatencySeconds: (systemClock.now() - began) / 1000 }
}

async function ask(url: URL, signal: AbortSignal, connect: Connect | undefined): Promise<string> {
  try {
    const stream = await connect?.(Number(url.port))
    if (stream !== undefined && signal.aborted) stream.destroy()
    const way = stream === undefined ? { agent: false } : { createConnection: () => stream }
    const asking = request(url, { method: 'HEAD', signal, ...way })
    asking.end()
    const [response] = (await once(asking, 'response')) as [IncomingMessage]
    response.resume()
    const { statusCode } = response
    return statusCode === 200 ? '' : `the PeerAPI answers with HTTP status ${statusCode}`
  } catch (error) {
    return `the PeerAPI does not answer: ${error instanceof Error ? error.message : String(error)}`
  }
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port <= 0xffff
}
