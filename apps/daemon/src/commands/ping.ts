// `mesh ping`: asks a peer for an answer and tells which way it came, until it comes straight.
import { setTimeout as sleep } from 'node:timers/promises'
import type { PingResult, PingType } from '@mesh/net'
import { CommandError, type LocalClient } from '../local-client.ts'
import { whyNotRunning } from '../not-running.ts'
import { findPeer } from './status.ts'

/** Flags of `mesh ping`. */
export interface PingFlags {
  /** How many pings at most; 0 is without end. */
  readonly c: number
  /** How long each waits, in milliseconds. */
  readonly timeout: number
  /** Stop at the first answer over a direct path, and fail when there is none. */
  readonly untilDirect: boolean
  readonly tsmp?: boolean
  readonly icmp?: boolean
  readonly peerapi?: boolean
  readonly json?: boolean
  /** Through the peer's relay alone; never direct. */
  readonly overRelay?: boolean
  /** Bytes of a disco ping's packet; 0 for as small as can be. */
  readonly size: number
  readonly verbose?: boolean
}

/** Milliseconds between two pings. */
const PAUSE = 1000

/** Pings a peer by name or address, printing each answer. */
export async function ping(
  client: LocalClient,
  target: string,
  flags: PingFlags,
  print: (text: string) => void,
): Promise<void> {
  const known = await client.status()
  const reason = whyNotRunning(known)
  if (reason) throw new CommandError(reason)
  const peer = findPeer(known, target)
  const address = peer.TailscaleIPs.includes(target) ? target : peer.TailscaleIPs[0]
  if (address === undefined) throw new CommandError(`"${target}" has no address in the mesh.`)
  if (flags.verbose && address !== target) process.stderr.write(`"${target}" is ${address}\n`)
  const type = flags.tsmp ? 'TSMP' : flags.icmp ? 'ICMP' : flags.peerapi ? 'peerapi' : 'disco'
  const { size, timeout } = flags
  const options = { type, size, timeoutMs: timeout, over: flags.overRelay ? 'relay' : 'any' } as const
  // Only a disco ping tells the path, and only that can become direct: the others end with the first answer.
  const untilAnswered = flags.untilDirect && (type !== 'disco' || flags.overRelay === true)
  let answers = 0
  for (let sent = 1; ; sent += 1) {
    const result = await client.ping(address, options)
    print(flags.json ? JSON.stringify(result) : describe(result, target, type))
    if (result.IsLocalIP) return
    if (result.Err === '') answers += 1
    if (result.Endpoint !== '' ? flags.untilDirect : untilAnswered && result.Err === '') return
    if (sent === flags.c) break
    await sleep(PAUSE)
  }
  if (answers === 0) throw new CommandError(`There was no answer from "${target}".`)
  if (flags.untilDirect && !untilAnswered) throw new CommandError(await whyNotDirect(client, address))
}

async function whyNotDirect(client: LocalClient, address: string): Promise<string> {
  const { Causes } = await client.explain(address)
  const [cause] = Causes.filter(({ Code }) => Code !== 'direct')
  const why = cause ? ` ${cause.Text}` : ''
  return `A direct path was not found; the relay carries the traffic.${why} (mesh explain ${address} tells more.)`
}

function describe(result: PingResult, target: string, type: PingType): string {
  if (result.IsLocalIP) return `${result.IP} is this machine`
  if (result.Err) return `ping "${target}": ${result.Err}`
  if (result.PeerAPIURL !== undefined)
    return `hit peerapi of ${result.NodeName} (${result.NodeIP}) at ${result.PeerAPIURL} in ${duration(result.LatencySeconds)}`
  const relayed = result.DERPRegionCode ? `DERP(${result.DERPRegionCode})` : type
  const way = result.Endpoint || (result.PeerRelay ? `peer-relay(${result.PeerRelay})` : relayed)
  return `pong from ${result.NodeName} (${result.NodeIP}) via ${way} in ${duration(result.LatencySeconds)}`
}

/** Returns seconds as a short duration: whole milliseconds, with one decimal below 1 ms. */
function duration(seconds: number): string {
  const ms = seconds * 1000
  return ms >= 1 ? `${Math.round(ms)}ms` : `${ms.toFixed(1)}ms`
}
