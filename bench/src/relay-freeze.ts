// `pnpm bench relay-freeze`: what the others feel when a tenth of a relay's readers stop reading. Packets are sent at a
// fixed rate to everybody, with nobody frozen and with two of twenty, in turn; only packets between the living count.
import { once } from 'node:events'
import type { Bench } from './bench.ts'
import { round } from './machine.ts'
import { LoadClient } from './relay/load-client.ts'
import { type MeasuredRelay, startOurs } from './relay/servers.ts'
import { median } from './rounds.ts'

const CLIENTS = 20
const FROZEN = 2
const PACKETS_PER_SECOND = 10_000
const PACKET_LENGTH = 1_400
/** More than the system buffers for a connection on loopback, on both of its sides. */
const FILLING = 12 << 20
const ROUNDS = 12
const WARM_UP_MS = 1_000
const SLICE_MS = 1_500

/** The others' latency with and without frozen readers. */
export const relayFreezeBench: Bench = {
  summary: "the others' latency while a tenth of our relay's readers are frozen, and its memory",
  async run({ say }) {
    // Frozen readers are kept: being cut off after two seconds would make it easy.
    const relay = await startOurs({ flags: ['--tcp-write-timeout=0'] })
    try {
      const samples = { healthy: [] as number[], frozen: [] as number[], resident: [] as number[] }
      for (let i = 0; i < ROUNDS; i += 1) {
        // Whichever comes second finds the relay as the first left it: they take turns.
        const halves = [
          async (): Promise<unknown> => samples.healthy.push(await p99(relay, 0)),
          async (): Promise<unknown> => samples.frozen.push(await p99(relay, FROZEN)),
        ]
        for (const half of i % 2 === 0 ? halves : halves.toReversed()) await half()
        samples.resident.push(relay.residentBytes())
        say(
          `round ${i + 1}: p99 ${round(samples.healthy.at(-1)!)} ms, with frozen readers ${round(samples.frozen.at(-1)!)} ms`,
        )
      }
      const mib = (bytes: number): number => Math.round(bytes / 2 ** 20)
      const ours = {
        p99Milliseconds: round(median(samples.frozen)),
        residentMiB: mib(samples.resident.at(-1)!),
        residentGrowthMiB: mib(samples.resident.at(-1)! - samples.resident[0]!),
      }
      const healthy = { p99Milliseconds: round(median(samples.healthy)) }
      say(`memory ${ours.residentMiB} MiB, ${ours.residentGrowthMiB} MiB more than after the first round`)
      return {
        ours,
        peer: healthy,
        ratio: { p99: round(median(samples.frozen) / median(samples.healthy)) },
      }
    } finally {
      await relay.close()
    }
  },
}

async function p99(relay: MeasuredRelay, frozen: number): Promise<number> {
  const all = await Promise.all(Array.from({ length: CLIENTS }, () => LoadClient.connect(relay.port)))
  for (const { socket, key } of all.slice(0, frozen)) {
    socket.pause()
    await fill(all.at(-1)!, key)
  }
  const times: number[] = []
  const warm = performance.now() + WARM_UP_MS
  for (const client of all) {
    client.onStamp = (stamp) => {
      if (stamp > warm) times.push(performance.now() - stamp)
    }
  }
  const start = performance.now()
  const end = warm + SLICE_MS
  let sent = 0
  while (performance.now() < end) {
    const due = Math.floor(((performance.now() - start) / 1_000) * PACKETS_PER_SECOND)
    for (; sent < due; sent += 1) {
      // Everybody sends to everybody, the frozen among them.
      const from = all[sent % CLIENTS]!
      const to = all[(sent + 1 + Math.floor(sent / CLIENTS)) % CLIENTS]!
      from.socket.write(LoadClient.frame(to.key, PACKET_LENGTH, performance.now()))
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
  for (const { socket } of all) socket.destroy()
  times.sort((a, b) => a - b)
  return times[Math.floor(times.length * 0.99)] ?? Number.NaN
}

/** Sends more to a frozen reader than the buffers of the system hold, so that all the rest has to wait in the relay. */
async function fill(from: LoadClient, key: Uint8Array): Promise<void> {
  const frame = LoadClient.frame(key, PACKET_LENGTH, 0)
  for (let sent = 0; sent < FILLING; sent += frame.length) {
    if (!from.socket.write(frame)) await once(from.socket, 'drain')
  }
}
