// Comparing work that fits in one thread: every round runs each contestant for a slice, in turn, so that whatever the
// machine does besides hits all alike; medians over the rounds count. Time is the thread's own on a processor, which
// leaves out when others had it.

/** Something to time. */
export interface Contestant {
  readonly name: string
  /** Does the work once and returns how many items that was. */
  readonly run: () => number
}

/** How long and how often. */
export interface RoundOptions {
  /** How many rounds. */
  readonly rounds: number
  /** Milliseconds of each contestant's slice. */
  readonly sliceMs: number
  /** Milliseconds for each before the first round, so that everything is compiled. */
  readonly warmUpMs: number
}

/** Returns the microseconds an item took, by contestant, one value a round. */
export function compareRounds(
  contestants: readonly Contestant[],
  options: RoundOptions,
): ReadonlyMap<string, readonly number[]> {
  for (const contestant of contestants) slice(contestant, options.warmUpMs)
  const samples = new Map(contestants.map(({ name }) => [name, [] as number[]]))
  for (let round = 0; round < options.rounds; round += 1) {
    for (const contestant of contestants)
      samples.get(contestant.name)?.push(slice(contestant, options.sliceMs))
  }
  return samples
}

/** Microseconds of processor time an item took, over about `ms` milliseconds of it. */
function slice({ run }: Contestant, ms: number): number {
  const began = threadMicroseconds()
  let items = 0
  let spent = 0
  do {
    // A few runs between two looks at the clock, which is not free.
    for (let i = 0; i < 8; i += 1) items += run()
    spent = threadMicroseconds() - began
  } while (spent < ms * 1000)
  return spent / items
}

function threadMicroseconds(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}

/** Returns how many times as long `theirs` took as `ours`: the median of the rounds' own ratios. */
export function timesAsLong(theirs: readonly number[], ours: readonly number[]): number {
  return median(theirs.map((value, round) => value / (ours[round] ?? Number.NaN)))
}

/** Returns the middle value, and of an even number of them what lies halfway between the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  return (at((sorted.length - 1) >> 1) + at(sorted.length >> 1)) / 2
}
