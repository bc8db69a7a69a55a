// A stream of TCP by iperf3, looked at in short intervals by its receiver: where nothing arrived, it stalled.
import type { WgSide } from '../netns/wg-side.ts'

/** How it runs. */
export interface StreamOptions {
  readonly seconds: number
  /** How long the receiver's intervals are, in milliseconds. */
  readonly interval: number
  /** What it sends at most, evenly paced, in Mbit/s: as much as TCP makes of the road when left out. */
  readonly mbits?: number
}

/** What was seen. */
export interface StreamReport {
  readonly gbits: number
  /** How often the sender's TCP gave up waiting for news of what it had sent, which takes it 200 ms or more. */
  readonly timeouts: number
  /** Datagrams that found the buffer of a socket in the receiver's namespace full. */
  readonly overflowed: number
  /** Intervals in which not a byte arrived: when they began, as `performance.now()` says it. */
  readonly stalledAt: readonly number[]
}

interface Interval {
  readonly sum: { readonly start: number; readonly bytes: number; readonly seconds: number }
}

/** Runs it from one side to the other. */
export async function streamFor(from: WgSide, to: WgSide, options: StreamOptions): Promise<StreamReport> {
  const { seconds, interval, mbits } = options
  const before = await counted(from, to)
  const server = to.namespace.start('iperf3', '-s', '-1', '-J', '-i', `${interval / 1_000}`)
  await sleepUntilListening(to)
  const pace = mbits === undefined ? [] : ['--fq-rate', `${mbits}M`]
  const client = from.namespace.start(
    'iperf3',
    '-c',
    to.overlay,
    '-t',
    `${seconds}`,
    '-i',
    '1',
    '--forceflush',
    ...pace,
  )
  await client.waitFor(/ 0\.00-1\.\d+ +sec/)
  const began = performance.now() - 1_000
  await client.waitFor(/iperf Done/, seconds * 1_000 + 30_000)
  await server.waitFor(/\n\}\s*$/, 30_000)
  const after = await counted(from, to)
  const { intervals } = JSON.parse(server.output) as { readonly intervals: readonly Interval[] }
  const whole = intervals.map(({ sum }) => sum).filter((sum) => sum.seconds > (interval / 1_000) * 0.9)
  const bytes = whole.reduce((total, sum) => total + sum.bytes, 0)
  const stalled = whole.filter((sum) => sum.bytes === 0)
  return {
    gbits: (bytes * 8) / 1e9 / seconds,
    timeouts: after.timeouts - before.timeouts,
    overflowed: after.overflowed - before.overflowed,
    stalledAt: stalled.map(({ start }) => began + start * 1_000),
  }
}

async function counted(from: WgSide, to: WgSide): Promise<{ timeouts: number; overflowed: number }> {
  return {
    timeouts: await kernelCounter(from, 'TcpExtTCPTimeouts'),
    overflowed: await kernelCounter(to, 'UdpRcvbufErrors'),
  }
}

/** Returns a counter of a namespace's network stack. */
async function kernelCounter(side: WgSide, name: string): Promise<number> {
  const { stdout } = await side.namespace.run('nstat', '-asz', name)
  const value = new RegExp(`^${name}\\s+(\\d+)`, 'm').exec(stdout)?.[1]
  if (value === undefined) throw new Error(`nstat shows no ${name}:\n${stdout}`)
  return Number(value)
}

async function sleepUntilListening(side: WgSide): Promise<void> {
  await side.namespace.run('sh', '-c', 'until ss -tln | grep -q :5201; do sleep 0.05; done')
}
