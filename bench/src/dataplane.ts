// `pnpm bench dataplane --peer PATH_TO_WIREGUARD_GO`: throughput, round trip and cost of a tunnel. Every round opens each
// contestant's tunnel anew, in namespaces of its own, and measures them in turn. Our ends run as they are installed, one
// bundle each, and with the packet filter of a node on the packet thread.
import { Lab } from '@mesh/e2e/netns/lab'
import { openTunnel, type TunnelEnd, type TunnelFilling } from '@mesh/e2e/netns/tunnel'
import type { Bench, BenchOptions } from './bench.ts'
import { builtPrograms } from './built-programs.ts'
import { round } from './machine.ts'
import { median } from './rounds.ts'
import { describe, measureTcp, measureTunnel, mediansOf, ratiosOf, type Sample } from './tunnel-figures.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)
const MTU = Number(process.env['BENCH_MTU'] ?? 1420)
/** The overlay's own MTU, at which one stream is measured as well. */
const SMALL_MTU = 1_280

/** Lets all of the tunnel in, by rules that are looked at all the same. */
const GATE = {
  rules: [
    { SrcIPs: ['10.9.0.0/24', 'fd00:9::/64'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65_535 } }] },
  ],
  localPrefixes: ['10.9.0.0/24', 'fd00:9::/64'],
}

/** Tunnels of ours against another program's. */
export const dataplaneBench: Bench = {
  summary: 'a tunnel between two namespaces: Gbit/s, round trip, processor time; ours and --peer in turn',
  run: async (options) => {
    const contestants = contestantsOf(options)
    const samples = new Map(contestants.map(({ name }) => [name, [] as Sample[]]))
    const small = new Map(contestants.map(({ name }) => [name, [] as number[]]))
    await using programs = await builtPrograms()
    for (let turn = 0; turn < ROUNDS; turn += 1) {
      for (const { name, filling } of contestants) {
        const sample = await withTunnel(filling, programs.folder, MTU, measureTunnel)
        const tcp1 = await withTunnel(filling, programs.folder, SMALL_MTU, measureTcp)
        samples.get(name)?.push(sample)
        small.get(name)?.push(tcp1)
        options.say(`round ${turn + 1} ${name}: ${describe(sample)}, tcp1 at ${SMALL_MTU} ${round(tcp1)}`)
      }
    }
    const figuresOf = (name: string) => ({
      ...mediansOf(samples.get(name) ?? []),
      tcp1mtu1280: round(median(small.get(name) ?? [])),
    })
    const peer = samples.has('peer') ? 'peer' : 'linux'
    const smallRatios = (small.get('linux') ?? []).map(
      (tcp1, turn) => tcp1 / (small.get(peer)?.[turn] ?? Number.NaN),
    )
    return {
      ours: Object.fromEntries(
        contestants.filter(({ name }) => name !== 'peer').map(({ name }) => [name, figuresOf(name)]),
      ),
      peer: figuresOf(peer),
      ratio: {
        ...ratiosOf(samples.get('linux') ?? [], samples.get(peer) ?? []),
        tcp1mtu1280: round(median(smallRatios)),
        ...(samples.has('linux-wasm')
          ? {
              wasm: ratiosOf(samples.get('linux-wasm') ?? [], samples.get(peer) ?? []) as Record<
                string,
                number
              >,
            }
          : {}),
      },
    }
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

async function withTunnel<T>(
  filling: TunnelFilling,
  programs: URL,
  mtu: number,
  measure: (ends: readonly [TunnelEnd, TunnelEnd]) => Promise<T>,
): Promise<T> {
  await using lab = new Lab()
  const judge = new URL('policy-judge.js', programs).href
  const ends = await openTunnel(lab, [filling, filling], { mtu, judge, judgeMessage: GATE, programs })
  return await measure(ends)
}
