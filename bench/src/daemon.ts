// `pnpm bench daemon --peer FOLDER`: two daemons of ours with TUN devices against two real tailscaled of that folder, both on our
// control server and relay; and beside them the bare data plane, so that what the daemon adds to it can be seen. Every round
// starts each contestant anew, in namespaces of its own, and measures them in turn.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { joinMeshd, joinTailscaled, kernelPing, type MeshNode, pathIs } from '@mesh/e2e/interop/nodes'
import { type Control, startControl, startRelay } from '@mesh/e2e/interop/servers'
import { buildSite, type Place } from '@mesh/e2e/interop/site'
import { Lab } from '@mesh/e2e/netns/lab'
import { openTunnel, type TunnelEnd } from '@mesh/e2e/netns/tunnel'
import type { Bench, BenchOptions } from './bench.ts'
import { describe, measureTunnel, mediansOf, ratiosOf, type Sample } from './tunnel-figures.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)
/** MTU of the overlay, ours and theirs. */
const MTU = 1280

type Join = (place: Place, control: Control, name: string) => Promise<MeshNode>
type Contestant = readonly [name: string, measure: () => Promise<Sample>]

/** Daemons of ours against another project's. */
export const daemonBench: Bench = {
  summary: 'two meshd with TUN devices on our control server, beside two tailscaled of --peer FOLDER',
  run: async (options) => {
    const contestants = contestantsOf(options)
    const samples = new Map(contestants.map(([name]) => [name, [] as Sample[]]))
    for (let turn = 0; turn < ROUNDS; turn += 1) {
      for (const [name, measure] of contestants) {
        const sample = await measure()
        samples.get(name)?.push(sample)
        options.say(`round ${turn + 1} ${name}: ${describe(sample)}`)
      }
    }
    const meshd = samples.get('meshd') ?? []
    const plane = samples.get('plane') ?? []
    const peer = samples.get('tailscaled') ?? meshd
    const ours = { ...mediansOf(meshd), ...(plane.length > 0 ? { plane: mediansOf(plane) } : {}) }
    return { ours, peer: mediansOf(peer), ratio: ratiosOf(meshd, peer) }
  },
}

function contestantsOf({ peer, say }: BenchOptions): Contestant[] {
  const ours: Contestant[] = [
    ['meshd', () => measureDaemons(joinMeshd)],
    ['plane', measurePlane],
  ]
  if (peer === undefined) {
    say('no --peer: ours alone, and every ratio is 1')
    return ours
  }
  const program = (name: string): string => join(peer, name)
  if (!existsSync(program('tailscaled'))) throw new Error(`${peer} has no tailscaled`)
  const joinPeer: Join = (place, control, name) => joinTailscaled(place, control, name, program)
  return [...ours, ['tailscaled', () => measureDaemons(joinPeer)]]
}

async function measurePlane(): Promise<Sample> {
  await using lab = new Lab()
  return await measureTunnel(await openTunnel(lab, ['linux', 'linux'], { mtu: MTU }))
}

/** The hub does not route: the nodes meet over a cable of their own. */
async function measureDaemons(enter: Join): Promise<Sample> {
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
  return await measureTunnel([await endOf(a), await endOf(b)])
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
