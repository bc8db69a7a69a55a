// The heart of the demo: one ping through the relay, one over the direct path, and one through the tunnel itself.
import type { PingResult } from './local-api.ts'
import type { LocalMesh } from './local-mesh.ts'
import { duration, type Progress } from './progress.ts'

/** How long the direct path may take to be found. */
const DIRECT_WITHIN_MS = 15_000

/** Shows how packets get from a to b, and throws when they do not. */
export async function showPaths(mesh: LocalMesh, progress: Progress): Promise<void> {
  await progress.step('relayed round trip', () => relayed(mesh), describe)
  await progress.step('direct round trip', () => direct(mesh), describe)
  await progress.step('first echo through the tunnel, handshake included', () => through(mesh), describe)
  await progress.step('next echo through the tunnel', () => through(mesh), describe)
}

async function relayed(mesh: LocalMesh): Promise<PingResult> {
  const result = await answered(mesh, 'relay')
  if (result.DERPRegionCode) return result
  throw new Error(`the answer should have come through the relay and came from ${result.Endpoint}`)
}

async function direct(mesh: LocalMesh): Promise<PingResult> {
  const deadline = Date.now() + DIRECT_WITHIN_MS
  for (;;) {
    const result = await answered(mesh, 'disco')
    if (result.Endpoint) return result
    if (Date.now() > deadline) throw new Error(`no direct path was found in ${DIRECT_WITHIN_MS / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

function through(mesh: LocalMesh): Promise<PingResult> {
  return answered(mesh, 'ICMP')
}

async function answered(mesh: LocalMesh, type: 'disco' | 'relay' | 'ICMP'): Promise<PingResult> {
  const result = await mesh.ping('a', 'b', type)
  if (result.Err) throw mesh.child('a')?.error(`got no answer from b: ${result.Err}`) ?? new Error(result.Err)
  return result
}

function describe(result: PingResult): string {
  const way = result.Endpoint || (result.DERPRegionCode ? `DERP(${result.DERPRegionCode})` : 'the tunnel')
  return `pong from ${result.NodeName} (${result.NodeIP}) via ${way} in ${duration(result.LatencySeconds * 1000)}`
}
