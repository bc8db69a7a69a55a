// `pnpm bench dataplane --peer PATH_TO_WIREGUARD_GO`: throughput, round trip and cost of a tunnel. Every round opens each
// contestant's tunnel anew, in namespaces of its own, and measures them in turn.
import { Lab } from '@mesh/e2e/netns/lab'
import { openTunnel, type TunnelFilling } from '@mesh/e2e/netns/tunnel'
import type { Bench, BenchOptions } from './bench.ts'
import { describe, measureTunnel, mediansOf, ratiosOf, type Sample } from './tunnel-figures.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 4)
const MTU = Number(process.env['BENCH_MTU'] ?? 1420)
/** Tunnels of ours against another program's. */
export const dataplaneBench: Bench = {
  summary: 'a tunnel between two namespaces: Gbit/s, round trip, processor time; ours and --peer in turn',
  run: async (options) => {
    const contestants = contestantsOf(options)
    const samples = new Map(contestants.map(({ name }) => [name, [] as Sample[]]))
    for (let turn = 0; turn < ROUNDS; turn += 1) {
      for (const { name, filling } of contestants) {
        const sample = await measure(filling)
        samples.get(name)?.push(sample)
        options.say(`round ${turn + 1} ${name}: ${describe(sample)}`)
      }
    }
    const linux = samples.get('linux') ?? []
    const peer = samples.get('peer') ?? linux
    const ours = Object.fromEntries(
      [...samples].filter(([name]) => name !== 'peer').map(([name, all]) => [name, mediansOf(all)]),
    )
    return { ours, peer: mediansOf(peer), ratio: ratiosOf(linux, peer) }
  },
}

function contestantsOf({ peer, say }: BenchOptions): { name: string; filling: TunnelFilling }[] {
  const names = (process.env['BENCH_FILLINGS'] ?? 'linux,linux-wasm,portable').split(',')
  const fillings = ['linux', 'linux-wasm', 'portable'] as const
  const ours = fillings.filter((filling) => names.includes(filling))
  const contestants: { name: string; filling: TunnelFilling }[] = ours.map((filling) => ({
    name: filling,
    filling,
  }))
  if (peer === undefined) say('no --peer: ours alone, and every ratio is 1')
  return peer === undefined ? contestants : [...contestants, { name: 'peer', filling: { program: peer } }]
}

async function measure(filling: TunnelFilling): Promise<Sample> {
  await using lab = new Lab()
  return await measureTunnel(await openTunnel(lab, [filling, filling], { mtu: MTU }))
}
