// A tunnel between two daemons with TUN devices, ours or real tailscaled, on our control server and relay. The hub does not
// route: the nodes meet over a cable of their own.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { joinTailscaled, kernelPing, type MeshNode, pathIs } from '@mesh/e2e/interop/nodes'
import { type Control, startControl, startRelay } from '@mesh/e2e/interop/servers'
import { buildSite, type Place } from '@mesh/e2e/interop/site'
import { Lab } from '@mesh/e2e/netns/lab'
import type { TunnelEnd } from '@mesh/e2e/netns/tunnel'

/** MTU of the overlay, ours and theirs. */
export const DAEMON_MTU = 1_280

/** Starts a daemon and lets it join. */
export type Join = (place: Place, control: Control, name: string) => Promise<MeshNode>

/** Returns how tailscaled of a folder joins, or `undefined` when it is not there. */
export function tailscaledOf(folder: string): Join | undefined {
  const program = (name: string): string => join(folder, name)
  if (!existsSync(program('tailscaled')) || !existsSync(program('tailscale'))) return undefined
  return (place, control, name) => joinTailscaled(place, control, name, program)
}

/** Opens the tunnel, waits until it is direct, and measures it. */
export async function withDaemons<T>(
  enter: Join,
  measure: (ends: readonly [TunnelEnd, TunnelEnd]) => Promise<T>,
): Promise<T> {
  await using lab = new Lab()
  const { hub, nodes } = await buildSite(lab, ['a', 'b'], 'hub-only')
  const [first, second] = nodes
  if (first === undefined || second === undefined) throw new RangeError('a tunnel has two ends')
  await lab.cable(first.namespace, '192.0.2.1/24', second.namespace, '192.0.2.2/24')
  const control = await startControl(hub, await startRelay(hub))
  const a = await enter(first, control, 'a')
  const b = await enter(second, control, 'b')
  await kernelPing(a, b)
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const)
    await pathIs(from, to, /via 192\.0\.2\./)
  return await measure([await endOf(a), await endOf(b)])
}

async function endOf({ place, address, daemon, cli }: MeshNode): Promise<TunnelEnd> {
  const { stdout } = await cli('ip', '-6')
  return {
    namespace: place.namespace,
    process: daemon,
    overlay: address,
    overlay6: stdout.trim(),
    name: 'mesh',
  }
}
