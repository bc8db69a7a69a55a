// `pnpm bench relay --peer PATH_TO_DERPER`: packets through our relay and through derper by the same load, in turn.
//
// Throughput: two threads of clients keep a fixed number of packets on their way. The relay runs with less right to the
// processor than the load (`nice`), so that on a machine that both fill it is always the relay that is waited for. What
// counts is packets for a second of the relay's processor time, all its threads together, because cores are what a relay is
// paid for.
//
// Latency: at half of what the slower of the two carried, the same for both, how long a packet takes from client to client.
// Here the relay has the same right as the load, which is one thread, so that a core is free for the relay.
import type { Bench, Figures } from './bench.ts'
import { round } from './machine.ts'
import { Load } from './relay/load.ts'
import type { Latencies } from './relay/load-thread.ts'
import { type MeasuredRelay, startDerper, startOurs } from './relay/servers.ts'
import { median } from './rounds.ts'

interface LoadShape {
  readonly name: string
  readonly clients: number
  readonly packetLength: number
}

const LOADS: readonly LoadShape[] = [
  { name: 'packets1400', clients: 20, packetLength: 1_400 },
  { name: 'packets200', clients: 20, packetLength: 200 },
  { name: 'clients100', clients: 100, packetLength: 1_400 },
]

const ROUNDS = 3
const LATENCY_ROUNDS = 7
const WARM_UP_MS = 1_500
const SLICE_MS = 2_000
const LOAD_THREADS = 2

/** Packets on their way from each client: fewer than a receiver's queue holds, so that none has to be dropped. */
const IN_FLIGHT = 24

interface Measured {
  packetsPerSecond: number
  packetsPerCore: number
  cpuMicroseconds: number
}

/** The relay against derper. */
export const relayBench: Bench = {
  summary: 'packets a core and latency through our relay and through derper (--peer PATH_TO_DERPER)',
  async run({ peer, say }) {
    if (peer === undefined) throw new Error('say by --peer where derper is')
    const results: Results = { ours: {}, derper: {} }
    await withBoth(peer, true, async (contestants) => {
      for (const load of LOADS) await measureLoad(load, contestants, results, say)
    })
    await withBoth(peer, false, (contestants) => measureLatency(contestants, results, say))
    return compare(results['ours'] ?? {}, results['derper'] ?? {})
  },
}

async function withBoth(
  peer: string,
  nice: boolean,
  measure: (contestants: Contestants) => Promise<void>,
): Promise<void> {
  const contestants = [
    { name: 'ours', relay: await startOurs({ nice }) },
    { name: 'derper', relay: await startDerper(peer, { nice }) },
  ]
  try {
    await measure(contestants)
  } finally {
    for (const { relay } of contestants) await relay.close()
  }
}

type Contestants = readonly { readonly name: string; readonly relay: MeasuredRelay }[]
type Results = Record<string, Record<string, number>>

async function measureLoad(
  load: LoadShape,
  contestants: Contestants,
  results: Results,
  say: (line: string) => void,
): Promise<void> {
  const samples = new Map(contestants.map(({ name }) => [name, [] as Measured[]]))
  for (let i = 0; i < ROUNDS; i += 1) {
    for (const { name, relay } of contestants) samples.get(name)?.push(await saturate(relay, load))
  }
  for (const [name, list] of samples) {
    const middle = (field: keyof Measured): number => median(list.map((each) => each[field]))
    const figures = results[name] ?? {}
    figures[`${load.name}PerSecond`] = Math.round(middle('packetsPerSecond'))
    figures[`${load.name}PerCore`] = Math.round(middle('packetsPerCore'))
    figures[`${load.name}CpuMicroseconds`] = round(middle('cpuMicroseconds'))
    say(
      `${load.name.padEnd(12)} ${name.padEnd(7)} ${figures[`${load.name}PerSecond`]} packets/s, ` +
        `${figures[`${load.name}PerCore`]} per core, ${figures[`${load.name}CpuMicroseconds`]} µs of processor each`,
    )
  }
}

/** Keeps a fixed number of packets on their way between pairs of clients, both ways. */
async function saturate(relay: MeasuredRelay, { clients, packetLength }: LoadShape): Promise<Measured> {
  const load = await Load.start(LOAD_THREADS, {
    port: relay.port,
    clients,
    packetLength,
    inFlight: IN_FLIGHT,
  })
  await sleep(WARM_UP_MS)
  const [cpu, packets, start] = [relay.cpuSeconds(), load.packets, performance.now()]
  await sleep(SLICE_MS)
  const seconds = (performance.now() - start) / 1_000
  const [count, spent] = [load.packets - packets, relay.cpuSeconds() - cpu]
  await load.stop()
  return {
    packetsPerSecond: count / seconds,
    packetsPerCore: count / spent,
    cpuMicroseconds: (spent / count) * 1e6,
  }
}

async function measureLatency(
  contestants: Contestants,
  results: Results,
  say: (line: string) => void,
): Promise<void> {
  const rates = contestants.map(({ name }) => results[name]?.['packets1400PerSecond'] ?? 0)
  const rate = Math.min(...rates) / 2
  const samples = new Map(contestants.map(({ name }) => [name, [] as Latencies[]]))
  for (let i = 0; i < LATENCY_ROUNDS; i += 1) {
    for (const { name, relay } of contestants) {
      const latencies = await pace(relay, rate)
      // Who was not given the load is not judged by it.
      if (latencies.sent >= 0.97 * latencies.due) samples.get(name)?.push(latencies)
    }
  }
  for (const [name, list] of samples) {
    if (2 * list.length < LATENCY_ROUNDS) throw new Error('the machine is too busy to pace the load')
    const figures = results[name] ?? {}
    figures['p50Milliseconds'] = round(median(list.map(({ p50 }) => p50)))
    figures['p99Milliseconds'] = round(median(list.map(({ p99 }) => p99)))
    say(
      `at ${Math.round(rate)} packets/s ${name.padEnd(7)} p50 ${figures['p50Milliseconds']} ms, p99 ${figures['p99Milliseconds']} ms`,
    )
  }
}

/** Sends at a fixed rate whatever comes back, and returns how long packets took. */
async function pace(relay: MeasuredRelay, perSecond: number): Promise<Latencies> {
  const { clients, packetLength } = LOADS[0]!
  const paced = { perSecond, warmUpMs: WARM_UP_MS, ms: SLICE_MS }
  const load = await Load.start(1, { port: relay.port, clients, packetLength, paced })
  const latencies = await load.latencies()
  await load.stop()
  return latencies
}

function compare(ours: Figures, peer: Figures): { ours: Figures; peer: Figures; ratio: Figures } {
  const ratio = (name: string): number => round(Number(ours[name]) / Number(peer[name]))
  return {
    ours,
    peer,
    ratio: {
      packetsPerCore: ratio('packets1400PerCore'),
      packets200PerCore: ratio('packets200PerCore'),
      clients100PerCore: ratio('clients100PerCore'),
      packetsPerSecond: ratio('packets1400PerSecond'),
      p50: ratio('p50Milliseconds'),
      p99: ratio('p99Milliseconds'),
    },
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
