// The heart of the demo: one ping through the relay, one over the direct path, and two through the tunnel itself.
import { setTimeout as sleep } from 'node:timers/promises'
import type { PingResult } from './local-api.ts'
import type { LocalMesh, PingType } from './local-mesh.ts'
import { duration, type Progress } from './progress.ts'

/** How long each of the ways may take to work. */
const PATIENCE_MS = 15_000
/** How long one ping through the tunnel waits. */
const PING_MS = 3000

/** Shows how packets get from a to b, and throws when they do not. */
export async function showPaths(mesh: LocalMesh, progress: Progress): Promise<void> {
  const ask = (type: PingType, wanted?: (result: PingResult) => boolean): (() => Promise<PingResult>) => {
    return () => untilAnswered(mesh, type, wanted)
  }
  await progress.step('relayed round trip', ask('relay'), describe)
  await progress.step('direct round trip', ask('disco', isDirect), describe)
  await progress.step('first echo through the tunnel, handshake included', ask('ICMP'), describe)
  await progress.step('next echo through the tunnel', ask('ICMP'), describe)
}

function isDirect(result: PingResult): boolean {
  return result.Endpoint !== ''
}

async function untilAnswered(
  mesh: LocalMesh,
  type: PingType,
  wanted: (result: PingResult) => boolean = () => true,
): Promise<PingResult> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const result = await mesh.ping('a', 'b', type, PING_MS)
    if (result.Err === '' && wanted(result)) return result
    if (Date.now() > deadline) throw noAnswer(mesh, result)
    await sleep(50)
  }
}

function noAnswer(mesh: LocalMesh, last: PingResult): Error {
  const what = last.Err ? `got no answer from b: ${last.Err}` : 'found no direct path to b'
  return mesh.child('a')?.error(what) ?? new Error(what)
}

function describe(result: PingResult): string {
  const way = result.Endpoint || (result.DERPRegionCode ? `DERP(${result.DERPRegionCode})` : 'the tunnel')
  return `pong from ${result.NodeName} (${result.NodeIP}) via ${way} in ${duration(result.LatencySeconds * 1000)}`
}
