// `pnpm bench dataplane --peer PATH_TO_WIREGUARD_GO`: throughput, round trip and cost of a tunnel. Both ends of each tunnel
// and both iperf3 share this machine's cores, so throughput is what a packet costs and not the speed of a wire. Every
// round opens each contestant's tunnel anew, in namespaces of its own, and measures them in turn.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Lab } from '@mesh/e2e/netns/lab'
import { iperf, openTunnel, pingTimes, type TunnelEnd, type TunnelFilling } from '@mesh/e2e/netns/tunnel'
import type { Bench, BenchOptions, Figures } from './bench.ts'
import { round } from './machine.ts'
import { median } from './rounds.ts'

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 4)
const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 3)
const WARM_UP_SECONDS = 1.5
const PINGS = 100
const MTU = Number(process.env['BENCH_MTU'] ?? 1420)
/** Ticks of /proc/PID/stat in a second, on every Linux Node runs on. */
const TICKS = 100

/** What one round finds out about one contestant. */
interface Sample {
  tcp1: number
  tcp4: number
  tcp1reverse: number
  tcp6: number
  udp: number
  pps: number
  cpuPerGbit: number
  ping: number
  pingP99: number
  rssMb: number
}

type Figure = keyof Sample

const FIGURES: readonly Figure[] = [
  'tcp1',
  'tcp4',
  'tcp1reverse',
  'tcp6',
  'udp',
  'pps',
  'cpuPerGbit',
  'ping',
  'pingP99',
  'rssMb',
]

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
  const ends = await openTunnel(lab, [filling, filling], { mtu: MTU })
  const [a, b] = ends
  await iperf(a, b, WARM_UP_SECONDS)
  await iperf(a, b, WARM_UP_SECONDS, '-R')
  await sleep(300)
  const times = (await pingTimes(a, b.overlay, PINGS)).sort((x, y) => x - y)
  const before = cpuSeconds(ends)
  const tcp1 = (await iperf(a, b, SECONDS)).gbits
  const cpuPerGbit = (cpuSeconds(ends) - before) / (tcp1 * SECONDS)
  const tcp4 = (await iperf(a, b, SECONDS, '-P', '4')).gbits
  const tcp1reverse = (await iperf(a, b, SECONDS, '-R')).gbits
  const tcp6 = (await iperf(a, b, SECONDS, '-6')).gbits
  const udp = (await iperf(a, b, SECONDS, '-u', '-b', '3G', '-l', '1200')).gbits
  const { packets: pps } = await iperf(a, b, SECONDS, '-u', '-b', '300M', '-l', '100')
  return {
    tcp1,
    tcp4,
    tcp1reverse,
    tcp6,
    udp,
    pps,
    cpuPerGbit,
    ping: median(times),
    pingP99: times[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN,
    rssMb: Math.max(...ends.map(rssMb)),
  }
}

/** Seconds that the processes of both ends have had a processor. */
function cpuSeconds(ends: readonly TunnelEnd[]): number {
  return ends.reduce((sum, { process: { pid } }) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS
  }, 0)
}

function rssMb({ process: { pid } }: TunnelEnd): number {
  const [, kib = 'NaN'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1024
}

function mediansOf(samples: readonly Sample[]): Record<Figure, number> {
  return Object.fromEntries(
    FIGURES.map((figure) => [figure, round(median(samples.map((sample) => sample[figure])))]),
  ) as Record<Figure, number>
}

/** Ours by the peer's: the median of the rounds' own ratios. Less is better for ping, cpuPerGbit and rssMb. */
function ratiosOf(ours: readonly Sample[], peer: readonly Sample[]): Figures {
  return Object.fromEntries(
    FIGURES.map((figure) => [
      figure,
      round(median(ours.map((sample, turn) => sample[figure] / (peer[turn]?.[figure] ?? Number.NaN)))),
    ]),
  )
}

function describe(sample: Sample): string {
  return FIGURES.map((figure) => `${figure} ${round(sample[figure])}`).join(', ')
}
