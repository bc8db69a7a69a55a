// Two Linux data planes at full speed for a long time: TCP in both directions by turns, and memory that stays flat.
import type { Lab } from '../netns/lab.ts'
import { iperf, openTunnel } from '../netns/tunnel.ts'
import { type MemoryReport, MemoryWatch } from './memory.ts'

/** What was found. */
export interface FullSpeedReport {
  readonly gigabytes: number
  /** Gbit/s of each slice, least and most. */
  readonly slowest: number
  readonly fastest: number
  readonly deaths: number
  readonly memory: Readonly<Record<string, MemoryReport>>
}

/** Seconds of one run of iperf3. */
const SLICE = 20

/** Runs it for a time. */
export async function runFullSpeed(lab: Lab, seconds: number): Promise<FullSpeedReport> {
  const [a, b] = await openTunnel(lab, ['linux', 'linux'])
  const memory = new MemoryWatch({ here: a.process.pid, there: b.process.pid }, Math.max(500, seconds * 5))
  const speeds: number[] = []
  const slice = Math.min(SLICE, seconds)
  for (let spent = 0; spent < seconds; spent += slice) {
    const reverse = (speeds.length & 1) === 1 ? ['-R'] : []
    speeds.push((await iperf(a, b, slice, ...reverse)).gbits)
  }
  const deaths = [a, b].flatMap(({ process }) => process.output.match(/"(restarted|failed|tun-lost)"/g) ?? [])
  return {
    gigabytes: Math.round(speeds.reduce((sum, gbits) => sum + (gbits * slice) / 8, 0)),
    slowest: round(Math.min(...speeds)),
    fastest: round(Math.max(...speeds)),
    deaths: deaths.length,
    memory: memory.end(),
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
