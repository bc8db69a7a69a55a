// Memory of a process over time, and whether it is flat.
import { readFileSync } from 'node:fs'

/** Reads the resident memory of processes now and then. */
export class MemoryWatch {
  readonly #pids: Readonly<Record<string, number>>
  readonly #samples = new Map<string, number[]>()
  readonly #timer: NodeJS.Timeout

  /** @param pids - Processes by name. */
  constructor(pids: Readonly<Record<string, number>>, everyMs: number) {
    this.#pids = pids
    this.#timer = setInterval(() => this.#sample(), everyMs)
  }

  /** Ends it and returns what was seen, by name. */
  end(): Record<string, MemoryReport> {
    clearInterval(this.#timer)
    return Object.fromEntries([...this.#samples].map(([name, samples]) => [name, report(samples)]))
  }

  #sample(): void {
    for (const [name, pid] of Object.entries(this.#pids)) {
      const samples = this.#samples.get(name) ?? []
      samples.push(rssMb(pid))
      this.#samples.set(name, samples)
    }
  }
}

/** Medians in MiB: of the second quarter of the time, when everything is warm, of the last, and of each tenth. */
export interface MemoryReport {
  readonly earlyMb: number
  readonly lateMb: number
  readonly highestMb: number
  /** A leak rises all the time; a step is a heap or an arena that found its size. */
  readonly tenthsMb: readonly number[]
}

/**
 * Flat is what grew by no more than this and a tenth between the two: a leak of one byte a packet would be more in minutes.
 * A short run ends while compilers and arenas still warm up.
 */
const SLACK_MB = 12
const SLACK_SHARE = 0.1
const SLACK_WARM_UP_MB = 60
const WARM_UP_SECONDS = 240

/** Tells whether memory did not grow in a run of so many seconds. */
export function isFlat({ earlyMb, lateMb }: MemoryReport, seconds: number): boolean {
  return lateMb <= earlyMb + (seconds < WARM_UP_SECONDS ? SLACK_WARM_UP_MB : SLACK_MB + earlyMb * SLACK_SHARE)
}

/** Returns the resident memory of a process in MiB. */
export function rssMb(pid: number): number {
  const [, kib = 'NaN'] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kib) / 1024
}

function report(samples: readonly number[]): MemoryReport {
  const quarter = Math.max(1, Math.floor(samples.length / 4))
  const tenth = Math.max(1, Math.ceil(samples.length / 10))
  const starts = Array.from({ length: Math.ceil(samples.length / tenth) }, (_, i) => i * tenth)
  return {
    earlyMb: median(samples.slice(quarter, 2 * quarter)),
    lateMb: median(samples.slice(-quarter)),
    highestMb: Math.round(Math.max(...samples)),
    tenthsMb: starts.map((start) => median(samples.slice(start, start + tenth))),
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return Math.round(sorted[sorted.length >> 1] ?? Number.NaN)
}
