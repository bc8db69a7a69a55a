// `pnpm sim nat`: every pair of ways out in the simulator, held against what it should be: direct or relayed, and the
// virtual milliseconds until both sides were direct. Three tables: the nine kinds of the real kernel's table, every
// mapping and filtering of RFC 4787 with every other, and two homes behind one carrier NAT of every kind, with and
// without hairpinning, where only that can join them. All are played with hairpinning at both sides and with none.
import { boxOf, BOXES, KERNEL_TABLE, KINDS, type KindName } from './kinds.ts'
import { BEHAVIOURS, type Middlebox, type Topology } from './topology.ts'
import { Town } from './town.ts'
import { canBeDirect, canBeSearched, type Situation, situationOf } from './truth.ts'

/** A pair that can be direct by knocking is within this time. */
const DIRECT_WITHIN = 6_000
/** One that takes a search for a port is within this time. */
const SEARCHED_WITHIN = 12_000
/** How often both send. */
const INTERVAL = 100

/** What a pair should come to. */
export type Expectation = 'direct' | 'searched' | 'relayed'

/** What it came to. */
export interface Cell {
  readonly expected: Expectation
  /** Virtual milliseconds until both were direct; `undefined` for never. */
  readonly after: number | undefined
  readonly isRight: boolean
}

/** A way out by name; `blocked` lets no UDP through. */
interface Way {
  readonly name: string
  readonly box: Middlebox | undefined
  readonly blocked?: boolean
}

/** Plays a topology of two machines, with or without the search for ports. */
export function playPair(topology: Topology, blocked: ReadonlySet<number>): Cell {
  const situation: Situation = { ...situationOf(topology), blocked: new Set(blocked) }
  const expected = expectationOf(situation)
  const town = new Town(topology, { seed: 1, opensDoors: true })
  for (const box of blocked) town.boxes[box]!.blocks = () => true
  town.introduce()
  const after = talk(town, SEARCHED_WITHIN)
  const limit = { direct: DIRECT_WITHIN, searched: SEARCHED_WITHIN, relayed: -1 }[expected]
  return { expected, after, isRight: (after ?? Infinity) <= limit || (after === undefined && limit < 0) }
}

/**
 * By knocking where the rules allow it. Else by a search where only the port is unknown that a hard NAT of one side has
 * drawn: the other then has one port for all. Two hard NATs, and blocked UDP, leave the relay.
 */
function expectationOf(situation: Situation): Expectation {
  if (canBeDirect(situation, 0, 1) === true) return 'direct'
  return canBeSearched(situation, 0, 1) ? 'searched' : 'relayed'
}

function talk({ net, nodes }: Town, duration: number): number | undefined {
  const [one, two] = [nodes[0]!, nodes[1]!]
  const began = net.clock.now()
  while (net.clock.now() < began + duration) {
    one.send(2, 0)
    two.send(1, 0)
    net.clock.advanceBy(INTERVAL)
    if (one.isDirect(2) && two.isDirect(1)) return net.clock.now() - began
  }
  return undefined
}

function between(a: Way, b: Way): Cell {
  const boxes: Middlebox[] = []
  const blocked = new Set<number>()
  const machines = [a, b].map(({ box, blocked: isBlocked }) => {
    if (box === undefined) return machineBehind(undefined)
    if (isBlocked === true) blocked.add(boxes.length)
    return machineBehind(boxes.push(box) - 1)
  })
  return playPair({ boxes, machines, relays: RELAYS }, blocked)
}

/** Two homes, each behind a NAT of the kindest kind, behind one carrier NAT. */
function behindOne(carrier: Middlebox): Cell {
  const home = { ...boxOf('endpoint-independent', 'endpoint-independent', 'random'), behind: 0 }
  const boxes = [{ ...carrier, isolated: true }, home, home]
  return playPair({ boxes, machines: [1, 2].map(machineBehind), relays: RELAYS }, new Set())
}

/** Milliseconds through the two relays: two, so that a NAT that maps by destination is known for one. */
const RELAYS = [30, 60]

function machineBehind(behind: number | undefined): Topology['machines'][number] {
  return { behind, families: 'ipv4', latency: 5, mapsPorts: false }
}

/** A table: its name, its rows, and its cells by row and column. */
export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly { readonly name: string; readonly cells: readonly (Cell | undefined)[] }[]
}

/** The nine kinds of the real kernel's table. */
export function kernelKinds(): Table {
  const ways = KINDS.map((name): Way => ({ name, box: BOXES[name], blocked: name === 'noudp' }))
  return triangle('the kinds that are measured on the real kernel', ways)
}

/** Every mapping and filtering with every other, all with hairpinning or none. */
export function allBehaviours(hairpin: boolean): Table {
  return triangle(`mapping/filtering, ${hairpin ? 'with' : 'without'} hairpinning`, behaviours(hairpin))
}

/** Two homes behind one carrier NAT of every kind. */
export function oneCarrier(): Table {
  const rows = [false, true].map((hairpin) => ({
    name: hairpin ? 'hairpin' : 'none',
    cells: behaviours(hairpin).map(({ box }) => behindOne(box!)),
  }))
  return {
    title: 'two homes behind one carrier NAT',
    columns: behaviours(false).map(({ name }) => name),
    rows,
  }
}

function behaviours(hairpin: boolean): Way[] {
  return BEHAVIOURS.flatMap((mapping) =>
    BEHAVIOURS.map((filtering) => ({
      name: `${short(mapping)}/${short(filtering)}`,
      box: boxOf(mapping, filtering, 'random', hairpin),
    })),
  )
}

/** The initials, as RFC 4787's readers write them. */
function short(behaviour: string): string {
  return { 'endpoint-independent': 'EI', 'address-dependent': 'AD' }[behaviour] ?? 'APD'
}

function triangle(title: string, ways: readonly Way[]): Table {
  const rows = ways.map((a, row) => ({
    name: a.name,
    cells: ways.map((b, column) => (column < row ? undefined : between(a, b))),
  }))
  return { title, columns: ways.map(({ name }) => name), rows }
}

/** Returns where the kernel's table, as far as it goes, and this one differ: the pairs of kinds. */
export function differsFromKernel({ rows }: Table): string[] {
  return rows.flatMap(({ name, cells }, row) =>
    KINDS.flatMap((kind, column) => {
      const letter = KERNEL_TABLE[name as KindName][column - row]
      const expected = cells[column]?.expected
      return letter === undefined || (letter === 'D') === (expected === 'direct') ? [] : [`${name} ~ ${kind}`]
    }),
  )
}

/** Returns a table as text. */
export function formatTable({ title, columns, rows }: Table): string {
  const line = (texts: readonly string[]): string => texts.map((text) => text.padStart(9)).join('')
  return [
    title,
    line(['', ...columns]),
    ...rows.map(({ name, cells }) => line([name, ...cells.map((cell) => (cell ? formatCell(cell) : ''))])),
  ].join('\n')
}

function formatCell({ expected, after, isRight }: Cell): string {
  const letter = after === undefined ? 'R' : expected === 'searched' ? 'S' : 'D'
  return `${isRight ? '' : '!'}${letter}${after === undefined ? '' : ` ${after}`}`
}

/** Prints all tables; returns the exit code. */
export function nat(): number {
  const kinds = kernelKinds()
  const tables = [kinds, allBehaviours(false), allBehaviours(true), oneCarrier()]
  const cells = tables.flatMap(({ rows }) => rows.flatMap((row) => row.cells.flatMap((cell) => cell ?? [])))
  const wrong = cells.filter(({ isRight }) => !isRight).length
  const differing = differsFromKernel(kinds)
  console.log(tables.map(formatTable).join('\n\n'))
  console.log(
    '\nD direct, S direct by a search for the port, R relayed, ! not as expected; with the virtual milliseconds to direct',
  )
  for (const pair of differing) console.log(`not what the real kernel does: ${pair}`)
  console.log(`${cells.length} pairs, ${wrong} not as expected`)
  return wrong + differing.length === 0 ? 0 : 1
}
