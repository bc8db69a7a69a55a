// A case of the lab: a town with two hosts (or more) in it, who meets whom, what happens to them, and what is to come of
// it. Direct is what the routers count: datagrams of one length that the last of them handed to each host.
import { eventually, type Lab } from '../../netns/support.ts'
import { RELAYS } from '../programs/site.ts'
import { Street } from '../street.ts'
import { type Host, openTown, type Town } from '../town.ts'
import { WITNESSED_MIN, witnessed } from '../witness.ts'

/** What is to come of a pair. `lossy`: direct, but the road loses packets. */
export type Verdict = 'direct' | 'lossy' | 'relayed'

/** A pair that meets. */
export interface Pair {
  readonly name: string
  readonly one: Host
  readonly two: Host
  readonly expected: Verdict
  /** Relays other than the usual. */
  readonly relays?: readonly string[]
  /** A UDP port for both. */
  readonly port?: number
  /** More environment for either program. */
  readonly environment?: readonly [readonly string[], readonly string[]]
  /** What happens once the pair has been direct for a moment. */
  readonly event?: (both: readonly Street[]) => Promise<void>
}

/** A case: builds its town and returns the pairs. */
export interface LabCase {
  readonly name: string
  readonly build: (town: Town) => Promise<readonly Pair[]>
}

/** What came of a pair. */
export interface PairOutcome {
  readonly name: string
  readonly expected: Verdict
  /** What the counters say. */
  readonly verdict: 'direct' | 'relayed'
  /** Milliseconds until both sides were direct the first time; `undefined` for never. */
  readonly after: number | undefined
  /** How many packets of the burst came, at each side. */
  readonly heard: readonly number[]
  /** How many of them the routers handed to each side as UDP. */
  readonly seen: readonly number[]
}

/** Packets of a burst, each way. */
export const BURST = 20
const CELL = 'pair'
const LENGTH = WITNESSED_MIN + 50
/** Within this time those who can be direct are, a search for ports included. */
const DIRECT_WITHIN = 15_000
/** The same where a third of all datagrams is lost each way: half of the pings come to nothing, and both must be direct at once. */
const LOSSY_WITHIN = 60_000
/** The same after something has happened to a path. */
const RECOVERED_WITHIN = 25_000
/** Those who stay relayed are given this long. */
const PATIENCE = 12_000
const BURST_TIME = 3_000

/** Plays a case to its end. */
export async function play(lab: Lab, one: LabCase): Promise<PairOutcome[]> {
  const town = await openTown(lab)
  const servers = await town.host('relays', [...RELAYS, ...RELAYS_V6], ROUTES_V6)
  const program = new URL('../programs/relays.ts', import.meta.url)
  await servers.inside.startNode(program, ...BOTH_FAMILIES).waitFor(/listening/, 30_000)
  const pairs = await one.build(town)
  const outcomes: PairOutcome[] = []
  for (const pair of pairs) outcomes.push(await meet(pair))
  return outcomes
}

/** Where the same relays are by IPv6. */
export const RELAYS_V6 = ['2001:db8::10', '2001:db8::11'] as const
/** Each relay by both families. */
export const BOTH_FAMILIES = RELAYS.map((address, index) => `${address},${RELAYS_V6[index]}`)
/** IPv6 is not translated: the servers know who is behind which router. */
const ROUTES_V6 = ['2001:db8:1::/64 via 2001:db8::100', '2001:db8:2::/64 via 2001:db8::101']

async function meet(pair: Pair): Promise<PairOutcome> {
  const [first, second] = pair.environment ?? [[], []]
  const one = new Street(pair.one, pair.relays, first)
  const two = new Street(pair.two, pair.relays, second)
  const both = [one, two]
  for (const street of both) street.order({ order: 'open', cell: CELL, port: pair.port ?? 0 })
  const [a, b] = await Promise.all([one.hear('ready', CELL), two.hear('ready', CELL)])
  one.order({ order: 'meet', cell: CELL, peer: b })
  two.order({ order: 'meet', cell: CELL, peer: a })
  const within = pair.expected === 'lossy' ? LOSSY_WITHIN : DIRECT_WITHIN
  const after = pair.expected === 'relayed' ? await wait(PATIENCE) : await untilDirect(both, within)
  if (pair.event !== undefined) {
    await pair.event(both)
    await untilDirect(both, RECOVERED_WITHIN)
  }
  const before = await Promise.all(both.map(({ host }) => seenAt(host)))
  for (const street of both) street.order({ order: 'burst', cell: CELL, length: LENGTH, count: BURST })
  await wait(BURST_TIME)
  for (const street of both) street.order({ order: 'tell', cell: CELL, length: LENGTH })
  const heard = await Promise.all(both.map((street) => street.hear('heard', CELL)))
  const seen = await Promise.all(both.map(async ({ host }, i) => (await seenAt(host)) - before[i]!))
  await Promise.all(both.map((street) => street.stop()))
  const isDirect = seen.every((count) => count >= (pair.expected === 'lossy' ? 1 : BURST))
  const { name, expected } = pair
  return {
    name,
    expected,
    verdict: isDirect ? 'direct' : 'relayed',
    after,
    heard: heard.map((h) => h.count),
    seen,
  }
}

async function seenAt({ socket }: Host): Promise<number> {
  return (await witnessed(socket)).get(LENGTH) ?? 0
}

/** Returns how long the slower side took, or `undefined` when one of them does not come so far. */
async function untilDirect(both: readonly Street[], timeout: number): Promise<number | undefined> {
  const isDirect = async (): Promise<true | undefined> =>
    both.every((street) => street.isDirect(CELL)) || undefined
  try {
    await eventually('both sides direct', isDirect, timeout)
  } catch {
    return undefined
  }
  return Math.max(...both.map((street) => street.last('path', CELL)?.after ?? 0))
}

/** Waits, and returns nothing. */
export function wait(duration: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), duration))
}
