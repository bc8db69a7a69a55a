// The nine kinds of way out of the table that is measured on the real kernel (`pnpm natlab`), and that table.
import type { NatBehaviour, PortChoice } from '@mesh/simnet'
import type { Middlebox } from './topology.ts'

const INDEPENDENT = 'endpoint-independent'
const ADDRESS = 'address-dependent'
const PORT = 'address-and-port-dependent'

/** Returns a box on the Internet of this kind. */
export function boxOf(
  mapping: NatBehaviour | 'none',
  filtering: NatBehaviour,
  ports: PortChoice,
  hairpin = false,
): Middlebox {
  return {
    behind: undefined,
    mapping,
    filtering,
    ports,
    hairpin,
    isolated: false,
    timeout: 60_000,
    inboundRefresh: true,
    portMapping: undefined,
  }
}

/** What stands before a node of each kind. `noudp` lets no UDP through besides. */
export const BOXES = {
  open: undefined,
  linux: boxOf(PORT, PORT, 'overload'),
  fullcone: boxOf(INDEPENDENT, INDEPENDENT, 'preserve'),
  addrcone: boxOf(INDEPENDENT, ADDRESS, 'random'),
  portcone: boxOf(INDEPENDENT, PORT, 'random'),
  adm: boxOf(ADDRESS, PORT, 'random'),
  sym: boxOf(PORT, PORT, 'random'),
  fw: boxOf('none', PORT, 'random'),
  noudp: boxOf(PORT, PORT, 'overload'),
} as const satisfies Record<string, Middlebox | undefined>

/** A kind. */
export type KindName = keyof typeof BOXES

/** The kinds, in the order of the table. */
export const KINDS = Object.keys(BOXES) as KindName[]

/** What the real kernel does without probing of many ports: D direct, R relayed. Each row begins at its own column. */
export const KERNEL_TABLE: Readonly<Record<KindName, string>> = {
  open: 'DDDDDDDDR',
  linux: 'DDDDRRDR',
  fullcone: 'DDDDDDR',
  addrcone: 'DDDDDR',
  portcone: 'DRRDR',
  adm: 'RRRR',
  sym: 'RRR',
  fw: 'DR',
  noudp: 'R',
}
