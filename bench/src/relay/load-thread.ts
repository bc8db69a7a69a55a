// One thread of the load: pairs of clients that send to each other through the relay.
import { parentPort, workerData } from 'node:worker_threads'
import { LoadClient } from './load-client.ts'

/** What a thread is told at its start. */
export interface LoadThreadData {
  readonly port: number
  /** How many clients, an even number. */
  readonly clients: number
  readonly packetLength: number
  /** Packets on their way from each client, all the time; absent, `paced`. */
  readonly inFlight?: number
  /** A rate to keep whatever comes back, and for how long. */
  readonly paced?: { readonly perSecond: number; readonly warmUpMs: number; readonly ms: number }
  /** Where the packets that came are counted: one number of 64 bits. */
  readonly count: SharedArrayBuffer
}

/** What a thread that paced says at its end: the shares of packets by how long they took, in milliseconds. */
export interface Latencies {
  readonly p50: number
  readonly p99: number
  /** How many packets it should have sent, and how many it did. */
  readonly due: number
  readonly sent: number
}

const data = workerData as LoadThreadData
const count = new BigInt64Array(data.count)
const clients = await Promise.all(Array.from({ length: data.clients }, () => LoadClient.connect(data.port)))
parentPort?.postMessage('ready')
parentPort?.once('message', () => {
  if (data.inFlight !== undefined) saturate(data.inFlight)
  if (data.paced !== undefined) void pace(data.paced).then((latencies) => parentPort?.postMessage(latencies))
})

// What arrives at the partner makes room for as much to be sent.
function saturate(inFlight: number): void {
  for (const [i, client] of clients.entries()) {
    const partner = clients[i ^ 1]!
    const frame = LoadClient.frame(partner.key, data.packetLength)
    const burst = Buffer.concat(Array.from({ length: inFlight }, () => frame))
    partner.onPackets = (came) => {
      Atomics.add(count, 0, BigInt(came))
      client.socket.write(burst.subarray(0, Math.min(came, inFlight) * frame.length))
    }
    client.socket.write(burst)
  }
}

async function pace({ perSecond, warmUpMs, ms }: NonNullable<LoadThreadData['paced']>): Promise<Latencies> {
  const times: number[] = []
  const start = performance.now()
  const warm = start + warmUpMs
  const end = warm + ms
  for (const client of clients) {
    client.onStamp = (stamp) => {
      if (stamp > warm) times.push(performance.now() - stamp)
    }
  }
  let sent = 0
  while (performance.now() < end) {
    const due = Math.floor(((performance.now() - start) / 1_000) * perSecond)
    // What is due together leaves together, as from any busy sender.
    const began = sent
    if (sent < due) for (const { socket } of clients) socket.cork()
    for (; sent < due; sent += 1) {
      const from = sent % clients.length
      const frame = LoadClient.frame(clients[from ^ 1]!.key, data.packetLength, performance.now())
      clients[from]!.socket.write(frame)
    }
    if (sent > began) for (const { socket } of clients) socket.uncork()
    await new Promise((resolve) => setImmediate(resolve))
  }
  await new Promise((resolve) => setTimeout(resolve, 200))
  times.sort((a, b) => a - b)
  const at = (share: number): number => times[Math.floor(times.length * share)] ?? Number.NaN
  const due = Math.floor(((end - start) / 1_000) * perSecond)
  return { p50: at(0.5), p99: at(0.99), due, sent }
}
