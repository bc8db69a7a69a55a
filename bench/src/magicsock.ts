// `pnpm bench magicsock [--peer DIR]`: what a packet costs with 10, 1,000 and 10,000 peers, which is to be the same; and,
// beside the real tailscaled that lies in DIR, how long two nodes take from their first packet to its delivery and to a
// direct path, in one network and across two NATs. The latter needs root on Linux.
import type { Bench } from './bench.ts'
import { round } from './machine.ts'
import { costOf, FEW, PEERS } from './magicsock/cost.ts'
import { timesToDirect } from './magicsock/to-direct.ts'
import { compareRounds, type Contestant, median, timesAsLong } from './rounds.ts'

/** Both sides with addresses of their own, and both behind home routers. */
const PLACES = { lan: 'open', nats: 'portcone' } as const
const ROUNDS = 3

interface Compared {
  ours: Record<string, number>
  peer: Record<string, number>
  ratio: Record<string, number>
}

/** The cost of a packet, and the time to a direct path. */
export const magicsockBench: Bench = {
  summary: 'cost of a packet by number of peers; time to direct beside tailscaled (--peer DIR)',
  async run({ peer, say }) {
    const compared: Compared = { ours: {}, peer: {}, ratio: {} }
    measureCost(compared, say)
    if (peer === undefined)
      say('time to direct: skipped, --peer names no folder with tailscaled and tailscale')
    else await measureTimes(peer, compared, say)
    return compared
  },
}

/** Ours with few peers is what ours with many is compared with: 1 is flat. */
function measureCost(compared: Compared, say: (line: string) => void): void {
  const costs = PEERS.map((count) => ({ count, ...costOf(count) }))
  const contestants = costs.flatMap(({ all, few }) => [all.send, all.receive, few.send, few.receive])
  const samples = compareRounds(contestants, { rounds: 9, sliceMs: 100, warmUpMs: 300 })
  for (const what of ['send', 'receive'] as const) {
    const base = samples.get(costs[0]!.all[what].name) ?? []
    for (const { count, all, few } of costs) {
      const nanoseconds = (name: string, { name: contestant }: Contestant): number => {
        const many = samples.get(contestant) ?? []
        compared.ours[name] = Math.round(median(many) * 1_000)
        compared.peer[name] = Math.round(median(base) * 1_000)
        compared.ratio[name] = round(timesAsLong(base, many))
        return compared.ours[name]
      }
      const [inTurn, ofFew] = [
        nanoseconds(`${what}Nanoseconds${count}`, all[what]),
        nanoseconds(`${what}Nanoseconds${count}With${FEW}InUse`, few[what]),
      ]
      say(
        `${what.padEnd(8)} ${String(count).padStart(6)} peers: ${ofFew} ns a packet with ${FEW} in use, ${inTurn} with all`,
      )
    }
  }
}

async function measureTimes(peers: string, compared: Compared, say: (line: string) => void): Promise<void> {
  for (const [place, standing] of Object.entries(PLACES)) {
    const samples = { ours: [] as number[][], peer: [] as number[][] }
    for (let i = 0; i < ROUNDS; i += 1) {
      for (const side of ['ours', 'peer'] as const) {
        const { delivered, direct } = await timesToDirect(standing, side === 'peer' ? peers : undefined)
        samples[side].push([delivered, direct])
      }
    }
    for (const [n, what] of ['Delivered', 'Direct'].entries()) {
      const name = `${place}${what}Milliseconds`
      const [ours, theirs] = [samples.ours, samples.peer].map((list) =>
        median(list.map((times) => times[n]!)),
      )
      compared.ours[name] = round(ours!)
      compared.peer[name] = round(theirs!)
      compared.ratio[name] = round(theirs! / ours!)
      say(`${name}: ours ${ours!.toFixed(0)}, tailscaled ${theirs!.toFixed(0)}`)
    }
  }
}
