// `pnpm bench relay --peer PATH_TO_DERPER`: packets through our relay and through derper by the same load, in turn. What
// counts is packets for a second of the relay's processor time, all its threads together, because a machine's cores are
// what a relay is paid for; and how long a packet takes at half of what the slower of the two can carry, or at
// 20,000 a second where that is more than the load can time.
import type { Bench, Figures } from './bench.ts'
import { round } from './machine.ts'
import { LoadClient } from './relay/load-client.ts'
import { type MeasuredRelay, startDerper, startOurs } from './relay/servers.ts'
import { median } from './rounds.ts'

interface Load {
  readonly name: string
  readonly clients: number
  readonly packetLength: number
}

const LOADS: readonly Load[] = [
  { name: 'packets1400', clients: 20, packetLength: 1_400 },
  { name: 'packets200', clients: 20, packetLength: 200 },
  { name: 'clients100', clients: 100, packetLength: 1_400 },
]

const ROUNDS = 3
const WARM_UP_MS = 1_500
const SLICE_MS = 2_500

/** Packets a second that one thread can send, stamp and time without falling behind. */
const MOST_PACED = 20_000

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
    const contestants = [
      { name: 'ours', relay: await startOurs() },
      { name: 'derper', relay: await startDerper(peer) },
    ] as const
    try {
      const results: Record<string, Record<string, number>> = { ours: {}, derper: {} }
      for (const load of LOADS) {
        await measureLoad(load, contestants, results, say)
      }
      await measureLatency(contestants, results, say)
      return compare(results['ours'] ?? {}, results['derper'] ?? {})
    } finally {
      for (const { relay } of contestants) await relay.close()
    }
  },
}

type Contestants = readonly { readonly name: string; readonly relay: MeasuredRelay }[]
type Results = Record<string, Record<string, number>>

async function measureLoad(
  load: Load,
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
async function saturate(relay: MeasuredRelay, { clients, packetLength }: Load): Promise<Measured> {
  const all = await Promise.all(Array.from({ length: clients }, () => LoadClient.connect(relay.port)))
  try {
    for (const [i, client] of all.entries()) {
      const partner = all[i ^ 1]!
      const frame = LoadClient.frame(partner.key, packetLength)
      const burst = Buffer.concat(Array.from({ length: IN_FLIGHT }, () => frame))
      // What arrives at the partner makes room for as much to be sent.
      partner.onPackets = (count) =>
        client.socket.write(burst.subarray(0, Math.min(count, IN_FLIGHT) * frame.length))
      client.socket.write(burst)
    }
    await sleep(WARM_UP_MS)
    const [cpu, packets, start] = [relay.cpuSeconds(), total(all), performance.now()]
    await sleep(SLICE_MS)
    const seconds = (performance.now() - start) / 1_000
    const [count, spent] = [total(all) - packets, relay.cpuSeconds() - cpu]
    return {
      packetsPerSecond: count / seconds,
      packetsPerCore: count / spent,
      cpuMicroseconds: (spent / count) * 1e6,
    }
  } finally {
    for (const { socket } of all) socket.destroy()
    await sleep(100)
  }
}

async function measureLatency(
  contestants: Contestants,
  results: Results,
  say: (line: string) => void,
): Promise<void> {
  const rates = contestants.map(({ name }) => results[name]?.['packets1400PerSecond'] ?? 0)
  // Half of what the slower carried, but never so much that the load itself, one thread for all clients, is what waits.
  const rate = Math.min(Math.min(...rates) / 2, MOST_PACED)
  const samples = new Map(contestants.map(({ name }) => [name, [] as { p50: number; p99: number }[]]))
  for (let i = 0; i < ROUNDS; i += 1) {
    for (const { name, relay } of contestants) samples.get(name)?.push(await pace(relay, rate))
  }
  for (const [name, list] of samples) {
    const figures = results[name] ?? {}
    figures['p50Milliseconds'] = round(median(list.map(({ p50 }) => p50)))
    figures['p99Milliseconds'] = round(median(list.map(({ p99 }) => p99)))
    say(
      `at ${Math.round(rate)} packets/s ${name.padEnd(7)} p50 ${figures['p50Milliseconds']} ms, p99 ${figures['p99Milliseconds']} ms`,
    )
  }
}

/** Sends at a fixed rate whatever comes back, and returns how long packets took. */
async function pace(relay: MeasuredRelay, rate: number): Promise<{ p50: number; p99: number }> {
  const load = LOADS[0]!
  const all = await Promise.all(Array.from({ length: load.clients }, () => LoadClient.connect(relay.port)))
  const times: number[] = []
  const warm = performance.now() + WARM_UP_MS
  for (const client of all) {
    client.onStamp = (stamp) => {
      if (stamp > warm) times.push(performance.now() - stamp)
    }
  }
  const end = warm + SLICE_MS
  const start = performance.now()
  let sent = 0
  while (performance.now() < end) {
    const due = Math.floor(((performance.now() - start) / 1_000) * rate)
    // What is due together leaves together, as from any busy sender.
    const began = sent
    if (sent < due) for (const { socket } of all) socket.cork()
    for (; sent < due; sent += 1) {
      const from = sent % all.length
      const frame = LoadClient.frame(all[from ^ 1]!.key, load.packetLength, performance.now())
      all[from]!.socket.write(frame)
    }
    if (sent > began) for (const { socket } of all) socket.uncork()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await sleep(200)
  for (const { socket } of all) socket.destroy()
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
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

function total(clients: readonly LoadClient[]): number {
  return clients.reduce((sum, { received }) => sum + received, 0)
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
