// `pnpm bench relay-idle --peer PATH_TO_DERPER`: what a client costs that is connected by TLS and silent, which most
// clients of a relay are: memory resident in the relay's process, our relay and derper one after the other.
import type { Bench } from './bench.ts'
import { round } from './machine.ts'
import { LoadClient } from './relay/load-client.ts'
import { type MeasuredRelay, startDerper, startOurs } from './relay/servers.ts'

const CLIENTS = 5_000

/** Logins at a time: more would wait longer than a relay waits for a login. */
const AT_ONCE = 50

/** How long a relay is left alone before it is looked at: collectors like to take their time. */
const REST_MS = 10_000

/** Memory of idle clients, against derper. */
export const relayIdleBench: Bench = {
  summary: `memory for each of ${CLIENTS} idle clients of our relay and of derper (--peer PATH_TO_DERPER)`,
  async run({ peer, say }) {
    if (peer === undefined) throw new Error('say by --peer where derper is')
    const ours = await measure(await startOurs())
    say(`ours    ${ours.bytesPerClient} bytes a client, ${ours.emptyMiB} MiB before the first`)
    const derper = await measure(await startDerper(peer))
    say(`derper  ${derper.bytesPerClient} bytes a client, ${derper.emptyMiB} MiB before the first`)
    return {
      ours,
      peer: derper,
      ratio: {
        bytesPerClient: round(ours.bytesPerClient / derper.bytesPerClient),
        totalMiB: round(ours.totalMiB / derper.totalMiB),
      },
    }
  },
}

interface Idle extends Readonly<Record<string, number>> {
  readonly clients: number
  readonly emptyMiB: number
  readonly totalMiB: number
  readonly bytesPerClient: number
}

async function measure(relay: MeasuredRelay): Promise<Idle> {
  const clients: LoadClient[] = []
  try {
    // One first, so that what the first login brings into memory counts for none.
    clients.push(await LoadClient.connect(relay.port))
    await sleep(1_000)
    const empty = relay.residentBytes()
    while (clients.length < CLIENTS) {
      const more = Math.min(AT_ONCE, CLIENTS - clients.length)
      clients.push(...(await Promise.all(Array.from({ length: more }, () => LoadClient.connect(relay.port)))))
    }
    await sleep(REST_MS)
    const total = relay.residentBytes()
    return {
      clients: clients.length,
      emptyMiB: round(empty / 2 ** 20),
      totalMiB: round(total / 2 ** 20),
      bytesPerClient: Math.round((total - empty) / (clients.length - 1)),
    }
  } finally {
    for (const { socket } of clients) socket.destroy()
    await relay.close()
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
