// Reaching one relay by TCP: IPv6 and IPv4 at once or with a head start, the first to answer wins
// (data-plane §2.13).
import { connect, isIP, isIPv4, isIPv6, type Socket } from 'node:net'
import { DerpError } from '../errors.ts'
import type { RelayNode } from '../region.ts'

/** How long one node of a region may take to answer: 1.5 s. */
export const DIAL_NODE_TIMEOUT = 1_500

/** How much later IPv4 starts when IPv6 is known to work: 200 ms. */
export const IPV4_DELAY = 200

/** One address family to try. */
export interface Candidate {
  /** A name or an address of this family. */
  readonly host: string
  readonly family: 4 | 6
  /** Milliseconds to wait first. */
  readonly delay: number
}

/** Returns the ways to reach a node; none when its `IPv4` and `IPv6` fields rule out both (C4). */
export function candidatesOf(node: RelayNode, ipv6Works: boolean): Candidate[] {
  const candidates: Candidate[] = []
  const ipv6 = hostFor(6, node.IPv6, node.HostName)
  const ipv4 = hostFor(4, node.IPv4, node.HostName)
  if (ipv6 !== undefined) candidates.push({ host: ipv6, family: 6, delay: 0 })
  if (ipv4 !== undefined)
    candidates.push({ host: ipv4, family: 4, delay: ipv6Works && ipv6 ? IPV4_DELAY : 0 })
  return candidates
}

/** Connects to the first candidate that answers. Rejects when none does, in time or at all. */
export async function race(
  candidates: readonly Candidate[],
  port: number,
  signal: AbortSignal,
): Promise<Socket> {
  const over = new AbortController()
  const stop = AbortSignal.any([signal, over.signal, AbortSignal.timeout(DIAL_NODE_TIMEOUT)])
  try {
    return await Promise.any(candidates.map((candidate) => dial(candidate, port, stop)))
  } catch (error) {
    const causes = error instanceof AggregateError ? (error.errors as unknown[]) : [error]
    throw new DerpError('ERR_DERP_UNREACHABLE', `no answer on port ${port}: ${sentences(causes)}`, {
      cause: causes[0],
    })
  } finally {
    over.abort()
  }
}

// A field that is empty means "ask DNS"; an address of the family is used; anything else turns the family off.
function hostFor(family: 4 | 6, field: string | undefined, hostName: string): string | undefined {
  const isFamily = family === 4 ? isIPv4 : isIPv6
  if (field) return isFamily(field) ? field : undefined
  if (isIP(hostName) !== 0) return isFamily(hostName) ? hostName : undefined
  return hostName
}

function dial(candidate: Candidate, port: number, stop: AbortSignal): Promise<Socket> {
  const { host, family, delay } = candidate
  return new Promise((resolve, reject) => {
    let socket: Socket | undefined
    const begin = (): void => {
      socket = connect({ host, port, family, autoSelectFamily: false })
      socket.once('error', fail)
      socket.once('connect', succeed)
    }
    const timer = setTimeout(begin, delay)
    stop.addEventListener('abort', giveUp, { once: true })
    if (stop.aborted) giveUp()

    function succeed(): void {
      stop.removeEventListener('abort', giveUp)
      socket?.off('error', fail)
      if (socket !== undefined) resolve(socket)
    }
    function fail(error: unknown): void {
      clearTimeout(timer)
      stop.removeEventListener('abort', giveUp)
      socket?.on('error', () => undefined)
      socket?.destroy()
      reject(error instanceof Error ? error : new Error(String(error)))
    }
    function giveUp(): void {
      fail(new Error(`${host} did not answer`, { cause: stop.reason }))
    }
  })
}

function sentences(causes: readonly unknown[]): string {
  return causes.map((cause) => (cause instanceof Error ? cause.message : String(cause))).join('; ')
}
