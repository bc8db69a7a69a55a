// The machine that a figure belongs to, and what else it was doing: a figure without these says nothing.
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'

/** Where and under what load a benchmark ran. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGib: number
  readonly kernel: string
  readonly node: string
  /** Share of all cores that other processes used meanwhile, 0 to 1. */
  readonly foreignLoad: number
  /** One-minute load average at the end. */
  readonly loadAverage: number
}

/** Begins to watch; the returned function ends it and describes the machine. */
export function watchMachine(): () => Machine {
  const before = busyMs()
  const ownBefore = process.cpuUsage()
  return () => {
    const after = busyMs()
    const own = process.cpuUsage(ownBefore)
    const foreign = after.busy - before.busy - (own.user + own.system) / 1000
    const total = after.total - before.total
    return {
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      cores: availableParallelism(),
      memoryGib: Math.round(totalmem() / 2 ** 30),
      kernel: release(),
      node: process.version,
      foreignLoad: round(total > 0 ? Math.max(0, foreign / total) : 0),
      loadAverage: round(loadavg()[0] ?? 0),
    }
  }
}

function busyMs(): { busy: number; total: number } {
  let busy = 0
  let total = 0
  for (const { times } of cpus()) {
    busy += times.user + times.nice + times.sys + times.irq
    total += times.user + times.nice + times.sys + times.irq + times.idle
  }
  return { busy, total }
}

/** Rounds to three digits behind the point: more would be noise. */
export function round(value: number): number {
  return Math.round(value * 1000) / 1000
}
