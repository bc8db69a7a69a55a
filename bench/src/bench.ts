// What a benchmark is to the dispatcher: a name, a line about it, and a run that ends with one comparison.
import type { Machine } from './machine.ts'

/** What the command line asks for. */
export interface BenchOptions {
  /** Path of the program to compare with, where a benchmark wants one. */
  readonly peer: string | undefined
  /** Tells the reader how it goes; not among the output when that is to be JSON. */
  readonly say: (line: string) => void
}

/** Figures by name; what they are is the benchmark's to say. */
export type Figures = Readonly<Record<string, number | Readonly<Record<string, number>>>>

/** The last line of `--json`. */
export interface BenchResult {
  readonly name: string
  readonly machine: Machine
  /** What we measured of ours. */
  readonly ours: Figures
  /** What we measured, in turn with it, of what ours is compared with. */
  readonly peer: Figures
  /** The one against the other, so that more is better unless the name of a figure says otherwise. */
  readonly ratio: Figures
  /** What must not be, though there are figures: a sentence each. */
  readonly faults?: readonly string[]
}

/** One benchmark. */
export interface Bench {
  readonly summary: string
  readonly run: (options: BenchOptions) => Promise<Omit<BenchResult, 'name' | 'machine'>>
}
