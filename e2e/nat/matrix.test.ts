// Which pairs of routers get a direct path on the real kernel, and which stay on the relay. All cells of the table
// run at once: each host runs one magicsock for each cell it stands in. Direct is what the routers' own counters say.
import { expect } from 'vitest'
import type { Lab } from '../netns/lab.ts'
import { eventually, netnsTest } from '../netns/support.ts'
import { ROUTERS } from './nat-rules.ts'
import { RELAYS } from './programs/site.ts'
import { Street } from './street.ts'
import { type Host, openTown, type Town } from './town.ts'
import { WITNESSED_MIN, witnessed } from './witness.ts'

const test = netnsTest('nft', 'sysctl')

const KINDS = ['open', ...(Object.keys(ROUTERS) as (keyof typeof ROUTERS)[])] as const
type Kind = (typeof KINDS)[number]

/**
 * Who gets a direct path to whom: D direct, P direct by a search for ports, R relayed. Columns are {@link KINDS} too; it
 * is the same both ways.
 */
const EXPECTED: Record<Kind, string> = {
  open: '    D D D D D D D D R',
  linux: '     D D D D P P D R',
  fullcone: '    D D D D D D R',
  addrcone: '      D D D D D R',
  portcone: '        D P P D R',
  adm: '               R R P R',
  sym: '                 R P R',
  fw: '                    D R',
  noudp: '                   R',
}

/**
 * Within this time after they met, those who can be direct are; and for as long those who cannot are watched. A round of
 * pings may be repeated after 5 s, a search for ports after 17 s.
 */
const DIRECT_WITHIN = 15_000
const FOUND_AT_LAST = 45_000
/** Within this time a search for ports hits, where the machine has nothing else to do. */
const FOUND_WITHIN = 10_000
/** Packets sent each way when the paths are settled. */
const BURST = 20

const RELAY_PROGRAM = new URL('programs/relays.ts', import.meta.url)

/** The two prefixes that have no translation, and the routers to them. */
const PLAIN = {
  a: { network: '198.51.100', router: '203.0.113.108' },
  b: { network: '198.51.101', router: '203.0.113.118' },
}
const PLAIN_ROUTES = Object.values(PLAIN).map(({ network, router }) => `${network}.0/24 via ${router}`)

interface Cell {
  readonly name: string
  readonly a: Kind
  readonly b: Kind
  readonly length: number
  readonly expected: 'direct' | 'relayed'
  /** Found by a search for ports, which has to be quick. */
  readonly isSearched: boolean
}

const CELLS: readonly Cell[] = KINDS.flatMap((a, row) => {
  const letters = EXPECTED[a].trim().split(' ')
  return letters.map((letter, index) => ({ a, b: KINDS[row + index]!, letter }))
}).map(({ a, b, letter }, index) => ({
  name: `${a} ~ ${b}`,
  a,
  b,
  length: WITNESSED_MIN + index,
  expected: letter === 'R' ? 'relayed' : 'direct',
  isSearched: letter === 'P',
}))

interface Outcome {
  /** How many of the burst came, at each side. */
  readonly heard: readonly number[]
  /** How many of the burst the last router before each side handed to it as UDP. */
  readonly seen: readonly number[]
  /** Milliseconds until each side was direct, the last time. */
  readonly after: readonly (number | undefined)[]
}

test('on the real kernel every pair of NATs is direct that can be, nothing is lost on the way, and the rest stays on the relay', async ({
  lab,
}) => {
  const outcomes = await play(await build(lab))
  console.log(tableOf(outcomes))
  for (const { name, expected, isSearched } of CELLS) {
    const { heard, seen, after } = outcomes.get(name)!
    expect.soft(heard, `${name}: packets of the burst that came`).toEqual([BURST, BURST])
    const verdict = isDirect(seen) ? 'direct' : 'relayed'
    expect.soft(verdict, `${name}: datagrams that the routers handed on ${seen.join(', ')}`).toBe(expected)
    if (isSearched && process.env['MESH_NATLAB'] !== undefined) {
      const slowest = Math.max(...after.map((ms) => ms ?? Infinity))
      expect.soft(slowest, `${name}: milliseconds to direct`).toBeLessThanOrEqual(FOUND_WITHIN)
    }
    if (verdict === 'relayed')
      expect.soft(seen, `${name}: datagrams that the routers handed on`).toEqual([0, 0])
  }
}, 170_000)

type Streets = ReadonlyMap<string, Street>

async function build(lab: Lab): Promise<Streets> {
  const town = await openTown(lab)
  const servers = await town.host('relays', RELAYS, PLAIN_ROUTES)
  await servers.inside.startNode(RELAY_PROGRAM, ...RELAYS).waitFor(/listening/, 30_000)
  const streets = new Map<string, Street>()
  for (const side of ['a', 'b'] as const) {
    const hosts = await Promise.all(KINDS.map((kind, index) => settle(town, side, kind, index)))
    hosts.forEach((host, index) => streets.set(`${KINDS[index]}-${side}`, new Street(host)))
  }
  return streets
}

function settle(town: Town, side: 'a' | 'b', kind: Kind, index: number): Promise<Host> {
  const number = (side === 'a' ? 101 : 111) + index
  const name = `${kind}-${side}`
  const outside = `203.0.113.${number}`
  const routes = PLAIN_ROUTES.filter((route) => !route.endsWith(` ${outside}`))
  if (kind === 'open') return town.host(name, [outside], routes)
  const network = kind === 'fw' ? PLAIN[side].network : `192.168.${number}`
  return town.home({ name, outside, network, kind: ROUTERS[kind], routes })
}

async function play(streets: Streets): Promise<ReadonlyMap<string, Outcome>> {
  const sides = CELLS.map((cell) => ({
    cell,
    one: streets.get(`${cell.a}-a`)!,
    two: streets.get(`${cell.b}-b`)!,
  }))
  for (const { cell, one, two } of sides) {
    for (const street of [one, two]) street.order({ order: 'open', cell: cell.name })
  }
  await Promise.all(
    sides.map(async ({ cell, one, two }) => {
      const [first, second] = await Promise.all([one.hear('ready', cell.name), two.hear('ready', cell.name)])
      one.order({ order: 'meet', cell: cell.name, peer: second })
      two.order({ order: 'meet', cell: cell.name, peer: first })
    }),
  )
  // Those that stay relayed are given all the time there is: that they may not become direct is what is shown.
  await new Promise<void>((resolve) => setTimeout(resolve, DIRECT_WITHIN))
  const searched = sides.filter(({ cell }) => cell.isSearched)
  const isFound = ({ cell, one, two }: (typeof sides)[number]): boolean =>
    one.isDirect(cell.name) && two.isDirect(cell.name)
  const allFound = async (): Promise<true | undefined> => searched.every(isFound) || undefined
  await eventually('every search to hit', allFound, FOUND_AT_LAST).catch(() => undefined)
  for (const { cell, one, two } of sides) {
    for (const street of [one, two]) {
      street.order({ order: 'burst', cell: cell.name, length: cell.length, count: BURST })
    }
  }
  await new Promise<void>((resolve) => setTimeout(resolve, 5_000))
  const outcomes = new Map<string, Outcome>()
  const seen = new Map<Street, ReadonlyMap<number, number>>()
  await Promise.all(
    [...streets.values()].map(async (street) => seen.set(street, await witnessed(street.host.socket))),
  )
  for (const { cell, one, two } of sides) {
    const both = [one, two]
    for (const street of both) street.order({ order: 'tell', cell: cell.name, length: cell.length })
    const heard = await Promise.all(both.map((street) => street.hear('heard', cell.name)))
    outcomes.set(cell.name, {
      heard: heard.map(({ count }) => count),
      seen: both.map((street) => seen.get(street)?.get(cell.length) ?? 0),
      after: both.map((street) =>
        street.isDirect(cell.name) ? street.last('path', cell.name)?.after : undefined,
      ),
    })
  }
  return outcomes
}

function isDirect(seen: readonly number[]): boolean {
  return seen.every((count) => count >= BURST)
}

/** One row for each kind: D direct or R relayed, and the milliseconds until both sides were direct. */
function tableOf(outcomes: ReadonlyMap<string, Outcome>): string {
  const head = ['', ...KINDS].map((text) => text.padStart(9)).join('')
  const rows = KINDS.map((a, row) => {
    const cells = KINDS.map((b, column) => {
      const outcome = column < row ? undefined : outcomes.get(`${a} ~ ${b}`)
      if (outcome === undefined) return ''
      return isDirect(outcome.seen) ? `D ${Math.max(...outcome.after.map((ms) => ms ?? Infinity))}` : 'R'
    })
    return [a, ...cells].map((text) => text.padStart(9)).join('')
  })
  return [`${head}   (D: milliseconds to direct)`, ...rows].join('\n')
}
