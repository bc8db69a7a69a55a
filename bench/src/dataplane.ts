// `pnpm bench dataplane --peer PATH_TO_WIREGUARD_GO`: throughput, round trip and cost of a tunnel. Every round opens each
// contestant's tunnel anew, in namespaces of its own, and measures them in turn. Our ends run as they are installed, one
// bundle each, and with the packet filter of a node on the packet thread.
import { dirname } from 'node:path'
import { Lab } from '@mesh/e2e/netns/lab'
import { openTunnel, type TunnelEnd, type TunnelFilling } from '@mesh/e2e/netns/tunnel'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { builtPrograms } from './built-programs.ts'
import { DAEMON_MTU, type Join, tailscaledOf, withDaemons } from './daemon-tunnel.ts'
import { round } from './machine.ts'
import { median } from './rounds.ts'
import { describe, measureTcp, measureTunnel, mediansOf, ratiosOf, type Sample } from './tunnel-figures.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 3)
const MTU = Number(process.env['BENCH_MTU'] ?? 1420)
/** The overlay's own MTU, at which one stream is measured as well. */
const SMALL_MTU = DAEMON_MTU
const FILLINGS = ['linux', 'linux-wasm', 'portable'] as const

/** Lets all of the tunnel in, by rules that are looked at all the same. */
const GATE = {
  rules: [
    { SrcIPs: ['10.9.0.0/24', 'fd00:9::/64'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65_535 } }] },
  ],
  localPrefixes: ['10.9.0.0/24', 'fd00:9::/64'],
}

/** Who is measured: a tunnel's figures, and one stream at an MTU of {@link SMALL_MTU}. */
interface Contestant {
  readonly name: string
  readonly measure: () => Promise<Found>
}

interface Found {
  readonly sample: Sample
  readonly small: number
}

/** Tunnels of ours against another program's, and against tailscaled where that is at hand. */
export const dataplaneBench: Bench = {
  summary: 'a tunnel between two namespaces: Gbit/s, round trip, processor time; ours and --peer in turn',
  run: async (options) => {
    await using programs = await builtPrograms()
    const contestants = contestantsOf(options, programs.folder)
    const found = new Map(contestants.map(({ name }) => [name, [] as Found[]]))
    for (let turn = 0; turn < ROUNDS; turn += 1) {
      for (const { name, measure } of contestants) {
        const one = await measure()
        found.get(name)?.push(one)
        options.say(
          `round ${turn + 1} ${name}: ${describe(one.sample)}, tcp1 at ${SMALL_MTU} ${round(one.small)}`,
        )
      }
    }
    return resultOf(found)
  },
}

function resultOf(
  found: ReadonlyMap<string, readonly Found[]>,
): Pick<BenchResult, 'ours' | 'peer' | 'ratio'> {
  const of = (name: string): readonly Found[] => found.get(name) ?? []
  const has = (name: string): boolean => of(name).length > 0
  const peer = of(has('peer') ? 'peer' : 'linux')
  const ours = FILLINGS.filter(has).map((name) => [name, figuresOf(of(name))])
  return {
    ours: Object.fromEntries(ours) as BenchResult['ours'],
    peer: { ...figuresOf(peer), ...(has('tailscaled') ? { tailscaled: figuresOf(of('tailscaled')) } : {}) },
    ratio: {
      ...comparedWith(of('linux'), peer),
      ...(has('linux-wasm') ? { wasm: comparedWith(of('linux-wasm'), peer) } : {}),
      ...(has('tailscaled') ? { tailscaled: comparedWith(of('linux'), of('tailscaled')) } : {}),
    },
  }
}

function figuresOf(found: readonly Found[]): Record<string, number> {
  return {
    ...mediansOf(found.map(({ sample }) => sample)),
    tcp1mtu1280: round(median(found.map(({ small }) => small))),
  }
}

function comparedWith(ours: readonly Found[], peer: readonly Found[]): Record<string, number> {
  const samplesOf = (found: readonly Found[]): Sample[] => found.map(({ sample }) => sample)
  const small = ours.map((one, turn) => one.small / (peer[turn]?.small ?? Number.NaN))
  return { ...ratiosOf(samplesOf(ours), samplesOf(peer)), tcp1mtu1280: round(median(small)) }
}

function contestantsOf({ peer, say }: BenchOptions, programs: URL): Contestant[] {
  const names = (process.env['BENCH_FILLINGS'] ?? FILLINGS.join()).split(',')
  const tunnel = (name: string, filling: TunnelFilling): Contestant => ({
    name,
    measure: async () => ({
      sample: await withTunnel(filling, programs, MTU, measureTunnel),
      small: await withTunnel(filling, programs, SMALL_MTU, measureTcp),
    }),
  })
  const contestants = FILLINGS.filter((name) => names.includes(name)).map((name) => tunnel(name, name))
  if (peer === undefined) say('no --peer: ours alone, and every ratio is 1')
  else contestants.push(tunnel('peer', { program: peer }))
  const folders = [process.env['MESH_PEERS'], peer?.includes('/') === true ? dirname(peer) : undefined]
  const join = folders.map((folder) => folder && tailscaledOf(folder)).find((found) => found)
  if (join) contestants.push({ name: 'tailscaled', measure: () => measureTailscaled(join) })
  else say('no tailscaled beside the peer or in MESH_PEERS: it is left out')
  return contestants
}

/** Its overlay has the small MTU and no other. */
async function measureTailscaled(join: Join): Promise<Found> {
  const sample = await withDaemons(join, measureTunnel)
  return { sample, small: sample.tcp1 }
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
