// `pnpm bench control --peer PATH_TO_HEADSCALE`: the same swarm of light nodes at our control server and at headscale.
// What counts is the processor time that one change costs when everybody has to hear of it, and how long that takes; how
// long it takes until everybody has a map again after a restart; how long until a new node is known to all; memory a node.
// BENCH_NODES names the sizes (`300,1000`); those of more than 1,000 nodes are measured at ours alone.
import { keyOf } from '@mesh/e2e/swarm/light-client'
import { Swarm } from '@mesh/e2e/swarm/swarm'
import type { Bench, Figures } from './bench.ts'
import { type MeasuredControl, startHeadscale, startOurs } from './control/servers.ts'
import { round } from './machine.ts'
import { median } from './rounds.ts'

const SIZES = (process.env['BENCH_NODES'] ?? '300,1000').split(',').map(Number)
/** The largest network that headscale is tried with. */
const LARGEST_FOR_PEER = 1000
const THREADS = 2
/** Changes are told one after the other, so far apart that none waits for another. */
const CHANGES = Number(process.env['BENCH_CHANGES'] ?? 12)
const CHANGE_EVERY_MS = 1500
const SETTLE_MS = 3000
/** How long it may take until everybody knows everybody, when all follow. */
const AGREE_MS = 30_000
/** How long a change may take to be seen; who does not see it by then counts with this. */
const SEEN_MS = 30_000

/** What one size came to; times in milliseconds. */
interface Measured {
  /** Processor time of the server a change, over all nodes. */
  readonly cpuPerChange: number
  readonly p50ToAll: number
  readonly p99ToAll: number
  readonly storm: number
  readonly stormCpu: number
  readonly admit: number
  /** How many nodes did not know all others, before the storm or a while after it. */
  readonly unaware: number
  /** Kibibytes. */
  readonly rssPerNode: number
}

/** Our control server against headscale. */
export const controlBench: Bench = {
  summary: 'changes, storms and memory of our control server and of headscale (--peer PATH_TO_HEADSCALE)',
  async run({ peer, say }) {
    const ours: Record<string, Record<string, number>> = {}
    const theirs: Record<string, Record<string, number>> = {}
    for (const nodes of SIZES) {
      const figures = await measure('ours', nodes, startOurs, say)
      if (figures['unaware'] !== 0)
        throw new Error(`${figures['unaware']} of ${nodes} nodes do not know all others`)
      ours[`at${nodes}`] = figures
      if (peer !== undefined && nodes <= LARGEST_FOR_PEER)
        theirs[`at${nodes}`] = await measure('headscale', nodes, () => startHeadscale(peer), say)
    }
    return { ours, peer: theirs, ratio: compare(ours, theirs) }
  },
}

async function measure(
  name: string,
  nodes: number,
  start: () => Promise<MeasuredControl>,
  say: (line: string) => void,
): Promise<Record<string, number>> {
  const server = await start()
  const swarm = new Swarm(THREADS)
  try {
    const measured = await measureAt(server, swarm, nodes, (line) => say(`${name} ${nodes}: ${line}`))
    const figures = Object.fromEntries(
      Object.entries(measured).map(([key, value]) => [key, round(value as number)]),
    )
    say(`${name} ${nodes}: ${JSON.stringify(figures)}`)
    return figures
  } finally {
    await swarm.close()
    await server.close()
  }
}

async function measureAt(
  server: MeasuredControl,
  swarm: Swarm,
  nodes: number,
  say: (line: string) => void,
): Promise<Measured> {
  const control = await keyOf(server.url)
  const empty = server.residentBytes()
  let began = performance.now()
  await swarm.register(control, server.authKey, nodes)
  say(`registered in ${Math.round(performance.now() - began)} ms`)
  began = performance.now()
  await swarm.follow(control)
  say(`all follow after ${Math.round(performance.now() - began)} ms`)
  const unaware = await swarm.unaware(AGREE_MS)
  if (unaware > 0) say(`${unaware} nodes do not know all others`)
  await sleep(SETTLE_MS)
  const changes = await measureChanges(server, swarm, nodes)
  const rssPerNode = (server.residentBytes() - empty) / nodes / 1024
  say(`a change costs ${round(changes.cpuPerChange)} ms and reaches all within ${round(changes.p99ToAll)} ms`)
  const admit = await measureAdmission(server, swarm)
  say(`a new node is known to all after ${Math.round(admit)} ms`)
  const storm = await measureStorm(server, swarm)
  return { ...changes, ...storm, unaware: Math.max(unaware, storm.unaware), admit, rssPerNode }
}

async function measureChanges(
  server: MeasuredControl,
  swarm: Swarm,
  nodes: number,
): Promise<Pick<Measured, 'cpuPerChange' | 'p50ToAll' | 'p99ToAll'>> {
  const delays: number[] = []
  // The first tells what the map did not know yet: home relay, endpoints. It is not counted.
  for (let i = 0; i < 2; i += 1) await change(swarm, i, i % nodes)
  await sleep(SETTLE_MS)
  const cpu = server.cpuSeconds()
  for (let i = 0; i < CHANGES; i += 1) {
    const next = performance.now() + CHANGE_EVERY_MS
    delays.push(...(await change(swarm, 1000 + i, i % 2)))
    await sleep(next - performance.now())
  }
  const spent = (server.cpuSeconds() - cpu) * 1000
  delays.sort((a, b) => a - b)
  return {
    cpuPerChange: spent / CHANGES,
    p50ToAll: median(delays),
    p99ToAll: delays[Math.floor(delays.length * 0.99)] ?? Number.NaN,
  }
}

/** One node tells another endpoint. Returns how long each of the others took to hear it. */
async function change(swarm: Swarm, number: number, client: number): Promise<readonly number[]> {
  const endpoint = `203.0.113.7:${10_000 + number}`
  await swarm.watch(`"${endpoint}"`, client)
  const at = await swarm.tell(client, [endpoint])
  return (await swarm.seen(SEEN_MS)).map((moment) => moment - at)
}

async function measureAdmission(server: MeasuredControl, swarm: Swarm): Promise<number> {
  const control = await keyOf(server.url)
  const samples: number[] = []
  for (let i = 0; i < 3; i += 1) {
    await swarm.watch(`"node-${swarm.size}.`)
    const began = performance.timeOrigin + performance.now()
    await swarm.register(control, server.authKey, 1)
    await swarm.follow(control)
    samples.push(Math.max(...(await swarm.seen(SEEN_MS))) - began)
  }
  return median(samples)
}

/** The server is killed; everybody comes back at once. */
async function measureStorm(
  server: MeasuredControl,
  swarm: Swarm,
): Promise<Pick<Measured, 'storm' | 'stormCpu' | 'unaware'>> {
  await server.restart()
  await swarm.drop()
  const control = await keyOf(server.url)
  const cpu = server.cpuSeconds()
  const began = performance.timeOrigin + performance.now()
  const moments = await swarm.follow(control)
  const stormCpu = (server.cpuSeconds() - cpu) * 1000
  const unaware = await swarm.unaware(AGREE_MS)
  return {
    storm: moments.reduce((last, moment) => Math.max(last, moment), began) - began,
    stormCpu,
    unaware,
  }
}

/** At the largest size that both were tried with; times smaller, but for the processor time: times more. */
function compare(
  ours: Readonly<Record<string, Readonly<Record<string, number>>>>,
  theirs: Readonly<Record<string, Readonly<Record<string, number>>>>,
): Figures {
  const size = Object.keys(theirs).at(-1)
  if (size === undefined) return {}
  const times = (figure: keyof Measured): number =>
    round((theirs[size]?.[figure] ?? Number.NaN) / (ours[size]?.[figure] ?? Number.NaN))
  return {
    cpuPerChange: times('cpuPerChange'),
    p99ToAll: times('p99ToAll'),
    storm: times('storm'),
    rssPerNode: times('rssPerNode'),
    admit: times('admit'),
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
}
