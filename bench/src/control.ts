// `pnpm bench control --peer PATH_TO_HEADSCALE`: the same swarm of light nodes at our control server and at headscale.
// What counts is the processor time that one change costs when everybody has to hear of it, and how long that takes; how
// long it takes until everybody has a map again after a restart; how long until a new node is known to all; memory a node.
// BENCH_NODES names the sizes (`300,1000`); those of more than 1,000 nodes are measured at ours alone.
import { Swarm } from '@mesh/e2e/swarm/swarm'
import type { Bench, Figures } from './bench.ts'
import { Parts } from './control/parts.ts'
import type { Measured } from './control/parts.ts'
import { type MeasuredControl, startHeadscale, startOurs } from './control/servers.ts'
import { round } from './machine.ts'

const SIZES = (process.env['BENCH_NODES'] ?? '300,1000,5000,10000').split(',').map(Number)
/** The largest network that headscale is tried with. */
const LARGEST_FOR_PEER = 1000
const THREADS = 2

/** What one server came to at one size, and what kept it from the rest. */
interface Outcome {
  readonly figures: Readonly<Record<string, number>>
  readonly failure?: string
}

/** Our control server against headscale. */
export const controlBench: Bench = {
  summary: 'changes, storms and memory of our control server and of headscale (--peer PATH_TO_HEADSCALE)',
  async run({ peer, say }) {
    const ours: Record<string, Readonly<Record<string, number>>> = {}
    const theirs: Record<string, Readonly<Record<string, number>>> = {}
    const faults: string[] = []
    for (const nodes of SIZES) {
      const own = await measure('ours', nodes, startOurs, say)
      ours[`at${nodes}`] = own.figures
      faults.push(...faultsOf(own, nodes))
      if (peer === undefined || nodes > LARGEST_FOR_PEER) continue
      theirs[`at${nodes}`] = (await measure('headscale', nodes, () => startHeadscale(peer), say)).figures
    }
    return { ours, peer: theirs, ratio: compare(ours, theirs), faults }
  },
}

async function measure(
  name: string,
  nodes: number,
  start: () => Promise<MeasuredControl>,
  say: (line: string) => void,
): Promise<Outcome> {
  const server = await start()
  const swarm = new Swarm(THREADS)
  const figures: Record<string, number> = {}
  const tell = (line: string): void => say(`${name} ${nodes}: ${line}`)
  try {
    for await (const part of new Parts(server, swarm, tell).run(nodes))
      for (const [key, value] of Object.entries(part)) figures[key] = round(value)
    return { figures }
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error)
    tell(`cut short: ${failure}`)
    return { figures, failure }
  } finally {
    tell(JSON.stringify(figures))
    await swarm.close()
    await server.close()
  }
}

/** Figures of a server that tells some nodes nothing are worth nothing. */
function faultsOf({ figures, failure }: Outcome, nodes: number): readonly string[] {
  if (failure !== undefined) return [`${nodes} nodes: ${failure}`]
  const { unaware = 0 } = figures
  return unaware === 0 ? [] : [`${unaware} of ${nodes} nodes do not know all others`]
}

/** At the largest size that both were tried with; times smaller, but for the processor time: times more. */
function compare(
  ours: Readonly<Record<string, Readonly<Record<string, number>>>>,
  theirs: Readonly<Record<string, Readonly<Record<string, number>>>>,
): Figures {
  const size = Object.keys(theirs).at(-1)
  if (size === undefined) return {}
  const ratios: Record<string, number> = {}
  for (const figure of COMPARED) {
    const ratio = (theirs[size]?.[figure] ?? Number.NaN) / (ours[size]?.[figure] ?? Number.NaN)
    if (Number.isFinite(ratio)) ratios[figure] = round(ratio)
  }
  return ratios
}

const COMPARED = [
  'cpuPerChange',
  'p99ToAll',
  'storm',
  'rssPerNode',
  'admit',
] as const satisfies readonly (keyof Measured)[]
