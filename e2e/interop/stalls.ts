// A stream of TCP by iperf3, looked at in short intervals by its receiver: where nothing arrived, it stalled.
import type { WgSide } from '../netns/wg-side.ts'

/** What was seen. */
export interface StreamReport {
  readonly gbits: number
  /** Intervals in which not a byte arrived: when they began, as `performance.now()` says it. */
  readonly stalledAt: readonly number[]
}

interface Interval {
  readonly sum: { readonly start: number; readonly bytes: number; readonly seconds: number }
}

/** Runs it for a time with intervals of so many milliseconds. */
export async function streamFor(
  from: WgSide,
  to: WgSide,
  seconds: number,
  intervalMs: number,
): Promise<StreamReport> {
  const interval = `${intervalMs / 1_000}`
  const server = to.namespace.start('iperf3', '-s', '-1', '-J', '-i', interval)
  await sleepUntilListening(to)
  const client = from.namespace.start(
    'iperf3',
    '-c',
    to.overlay,
    '-t',
    `${seconds}`,
    '-i',
    '1',
    '--forceflush',
  )
  await client.waitFor(/ 0\.00-1\.\d+ +sec/)
  const began = performance.now() - 1_000
  await client.waitFor(/iperf Done/, seconds * 1_000 + 30_000)
  await server.waitFor(/\n\}\s*$/, 30_000)
  const { intervals } = JSON.parse(server.output) as { readonly intervals: readonly Interval[] }
  const whole = intervals.map(({ sum }) => sum).filter((sum) => sum.seconds > (intervalMs / 1_000) * 0.9)
  const bytes = whole.reduce((total, sum) => total + sum.bytes, 0)
  const stalled = whole.filter((sum) => sum.bytes === 0)
  return { gbits: (bytes * 8) / 1e9 / seconds, stalledAt: stalled.map(({ start }) => began + start * 1_000) }
}

async function sleepUntilListening(side: WgSide): Promise<void> {
  await side.namespace.run('sh', '-c', 'until ss -tln | grep -q :5201; do sleep 0.05; done')
}
