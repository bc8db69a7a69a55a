// `pnpm bench daemon --peer FOLDER`: two daemons of ours with TUN devices against two real tailscaled of that folder, both on our
// control server and relay; and beside them the bare data plane, so that what the daemon adds to it can be seen. Every round
// starts each contestant anew, in namespaces of its own, and measures them in turn.
import { joinMeshd } from '@mesh/e2e/interop/nodes'
import { Lab } from '@mesh/e2e/netns/lab'
import { openTunnel } from '@mesh/e2e/netns/tunnel'
import type { Bench, BenchOptions } from './bench.ts'
import { DAEMON_MTU, tailscaledOf, withDaemons } from './daemon-tunnel.ts'
import { describe, measureTunnel, mediansOf, ratiosOf, type Sample } from './tunnel-figures.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)
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
    ['meshd', () => withDaemons(joinMeshd, measureTunnel)],
    ['plane', measurePlane],
  ]
  if (peer === undefined) {
    say('no --peer: ours alone, and every ratio is 1')
    return ours
  }
  const join = tailscaledOf(peer)
  if (join === undefined) throw new Error(`${peer} has no tailscaled`)
  return [...ours, ['tailscaled', () => withDaemons(join, measureTunnel)]]
}

async function measurePlane(): Promise<Sample> {
  await using lab = new Lab()
  return await measureTunnel(await openTunnel(lab, ['linux', 'linux'], { mtu: DAEMON_MTU }))
}
