// Where nodes may stand: as data, so that the simulator can build it, the reference model can reason about it, and a
// reader can be told of it.
import type { NatBehaviour, PortChoice, PortMappingProtocol } from '@mesh/simnet'
import type { Dice } from './dice.ts'

/** The behaviours of RFC 4787, from the kindest to the strictest. */
export const BEHAVIOURS: readonly NatBehaviour[] = [
  'endpoint-independent',
  'address-dependent',
  'address-and-port-dependent',
]

/** A NAT or a firewall. */
export interface Middlebox {
  /** The number of the one it is itself behind; on the Internet when `undefined`. */
  readonly behind: number | undefined
  readonly mapping: NatBehaviour | 'none'
  readonly filtering: NatBehaviour
  readonly ports: PortChoice
  readonly hairpin: boolean
  readonly isolated: boolean
  readonly timeout: number
  readonly inboundRefresh: boolean
  readonly portMapping: PortMappingProtocol | undefined
}

/** A machine. */
export interface Machine {
  readonly behind: number | undefined
  readonly families: 'ipv4' | 'ipv6' | 'both'
  /** Milliseconds to its NAT, or the Internet. */
  readonly latency: number
  readonly mapsPorts: boolean
}

/** All of them. */
export interface Topology {
  readonly boxes: readonly Middlebox[]
  readonly machines: readonly Machine[]
  /** Milliseconds through each relay; the region is the position and one. */
  readonly relays: readonly number[]
}

/** Makes one up, of two to four machines. */
export function randomTopology(dice: Dice): Topology {
  const boxes = randomBoxes(dice, dice.between(0, 4))
  return topologyAround(dice, boxes, dice.oneOf([2, 2, 2, 3, 3, 4]))
}

/** Makes one up for this many machines, with a box for every four. */
export function crowdTopology(dice: Dice, machines: number): Topology {
  return topologyAround(dice, randomBoxes(dice, Math.ceil(machines / 4)), machines)
}

function randomBoxes(dice: Dice, count: number): Middlebox[] {
  const boxes: Middlebox[] = []
  while (boxes.length < count) boxes.push(randomBox(dice, boxes))
  return boxes
}

function topologyAround(dice: Dice, boxes: readonly Middlebox[], count: number): Topology {
  const machines = Array.from({ length: count }, () => randomMachine(dice, boxes.length))
  const relays = Array.from({ length: dice.between(1, 3) }, () => dice.between(10, 80))
  return { boxes, machines, relays }
}

function randomBox(dice: Dice, others: readonly Middlebox[]): Middlebox {
  // A firewall before translated addresses would be one more NAT's inside: not worth its rules here.
  const behind = others.length > 0 && dice.happens(0.3) ? dice.between(0, others.length - 1) : undefined
  const isFirewall = behind === undefined && dice.happens(0.15)
  const isLinux = !isFirewall && dice.happens(0.25)
  const strict = 'address-and-port-dependent'
  const mapping = isFirewall ? 'none' : isLinux ? strict : dice.oneOf(BEHAVIOURS)
  const filtering = isFirewall || isLinux ? strict : dice.oneOf(BEHAVIOURS)
  return {
    behind,
    mapping,
    filtering,
    // Where answers leave by another mapping than what they answer came in by, the latter would die in use, which no
    // endpoint can foresee: such boxes keep it alive by what comes in, as connection tracking does.
    inboundRefresh: mapping !== 'none' && mapping !== BEHAVIOURS[0] && filtering !== strict,
    ports: isLinux ? 'overload' : dice.oneOf(['random', 'preserve']),
    hairpin: dice.happens(0.3),
    isolated: dice.happens(0.15),
    timeout: dice.oneOf([40_000, 60_000, 120_000, 300_000]),
    portMapping: !isFirewall && dice.happens(0.2) ? dice.oneOf(['nat-pmp', 'pcp']) : undefined,
  }
}

function randomMachine(dice: Dice, boxes: number): Machine {
  const behind = boxes > 0 && dice.happens(0.85) ? dice.between(0, boxes - 1) : undefined
  return {
    behind,
    families: dice.happens(0.8) ? 'ipv4' : dice.happens(0.7) ? 'both' : 'ipv6',
    latency: dice.between(1, 40),
    mapsPorts: dice.happens(0.7),
  }
}

/** Returns a topology in words, one line for each of its parts. */
export function describeTopology({ boxes, machines, relays }: Topology): string {
  const at = (behind: number | undefined): string =>
    behind === undefined ? 'on the Internet' : `behind box ${behind}`
  return [
    ...boxes.map((box, n) => {
      const traits = [
        box.hairpin && 'hairpin',
        box.isolated && 'isolated',
        box.portMapping,
        `forgets after ${box.timeout / 1_000} s`,
      ]
      const kind =
        box.mapping === 'none'
          ? 'firewall'
          : `maps ${box.mapping}, filters ${box.filtering}, ports ${box.ports}`
      return `box ${n} ${at(box.behind)}: ${[kind, ...traits.filter(Boolean)].join(', ')}`
    }),
    ...machines.map(
      (machine, n) =>
        `node ${n + 1} ${at(machine.behind)}: ${machine.families}, ${machine.latency} ms${machine.mapsPorts ? ', maps ports' : ''}`,
    ),
    `relays: ${relays.map((latency, n) => `region ${n + 1} takes ${latency} ms`).join(', ')}`,
  ].join('\n')
}
