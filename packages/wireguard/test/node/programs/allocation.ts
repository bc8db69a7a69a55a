// How much heap work allocates for each item, once it is warm.
import v8 from 'node:v8'

/** Often enough for a run in which nothing is compiled. */
const RUNS = 4

/**
 * Warms the work up, does `items` items of it, and returns the bytes of heap that one allocated. When that is a byte or more it
 * is done again, for what is compiled meanwhile is in some runs, and what items cost is in all.
 */
export function bytesEach(items: number, work: (items: number) => void): number {
  work(items / 4)
  let least = Infinity
  for (let runs = 0; runs < RUNS && least >= 1; runs += 1) {
    const before = allocated()
    work(items)
    least = Math.min(least, (allocated() - before) / items)
  }
  return least
}

/** Node's types do not know this number yet. */
function allocated(): number {
  return (v8.getHeapStatistics() as unknown as { total_allocated_bytes: number }).total_allocated_bytes
}
