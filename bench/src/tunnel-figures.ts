// What is measured of a tunnel between two namespaces, whoever made it: throughput, round trip, processor time, memory. Both
// ends and both iperf3 share this machine's cores, so throughput is what a packet costs and not the speed of a wire.
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { iperf, pingTimes, type TunnelEnd } from '@mesh/e2e/netns/tunnel'
import type { Figures } from './bench.ts'
import { round } from './machine.ts'
import { median } from './rounds.ts'

const SECONDS = Number(process.env['BENCH_SECONDS'] ?? 3)
const WARM_UP_SECONDS = 1.5
const PINGS = 100
/** Ticks of /proc/PID/stat in a second, on every Linux Node runs on. */
const TICKS = 100

/** What one round finds out about one contestant. */
export interface Sample {
  tcp1: number
  tcp4: number
  tcp1reverse: number
  tcp6: number
  udp: number
  pps: number
  /** Processor seconds of both ends for a Gbit. */
  cpuPerGbit: number
  ping: number
  pingP99: number
  rssMb: number
  /** Share of all processors that others used meanwhile, 0 to 1. */
  foreign: number
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
  'foreign',
]

/** Measures a tunnel that is open. */
export async function measureTunnel(ends: readonly [TunnelEnd, TunnelEnd]): Promise<Sample> {
  const [a, b] = ends
  const others = watchOthers(cpuSeconds(ends))
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
    foreign: others(cpuSeconds(ends)),
  }
}

/** Only how fast one TCP stream is, warmed up. */
export async function measureTcp(ends: readonly [TunnelEnd, TunnelEnd]): Promise<number> {
  await iperf(...ends, WARM_UP_SECONDS)
  return (await iperf(...ends, SECONDS)).gbits
}

/** Begins to watch; the function returned says which share of all processors was neither ours nor idle. */
function watchOthers(endsBefore: number): (ends: number) => number {
  const [busyBefore, totalBefore] = machineSeconds()
  const ownBefore = ownSeconds() + endsBefore
  return (ends) => {
    const [busy, total] = machineSeconds()
    const own = ownSeconds() + ends - ownBefore
    return Math.max(0, (busy - busyBefore - own) / (total - totalBefore))
  }
}

/** Seconds of all processors together: in use, and in all. */
function machineSeconds(): [number, number] {
  const line = readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? ''
  const fields = line.split(/\s+/).slice(1, 9).map(Number)
  const total = fields.reduce((sum, field) => sum + field, 0)
  return [(total - (fields[3] ?? 0) - (fields[4] ?? 0)) / TICKS, total / TICKS]
}

/** Seconds that this process, and all that it waited for, have had a processor. */
function ownSeconds(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? []
  return [11, 12, 13, 14].reduce((sum, field) => sum + Number(fields[field]), 0) / TICKS
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

/** The medians of some rounds. */
export function mediansOf(samples: readonly Sample[]): Record<Figure, number> {
  return Object.fromEntries(
    FIGURES.map((figure) => [figure, round(median(samples.map((sample) => sample[figure])))]),
  ) as Record<Figure, number>
}

/** Ours by the peer's: the median of the rounds' own ratios. Less is better for ping, cpuPerGbit and rssMb. */
export function ratiosOf(ours: readonly Sample[], peer: readonly Sample[]): Figures {
  return Object.fromEntries(
    FIGURES.map((figure) => [
      figure,
      round(median(ours.map((sample, turn) => sample[figure] / (peer[turn]?.[figure] ?? Number.NaN)))),
    ]),
  )
}

/** One round as a line. */
export function describe(sample: Sample): string {
  return FIGURES.map((figure) => `${figure} ${round(sample[figure])}`).join(', ')
}
