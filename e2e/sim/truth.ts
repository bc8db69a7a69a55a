// The reference model: can these two be direct, as the world is now? It knows where boxes stand and what they do, and
// reasons by rules; it never looks at a datagram.
import { canPunch, type Kind, type Offer, OPEN, type Side } from './punch.ts'
import { BEHAVIOURS, type Machine, type Middlebox, type Topology } from './topology.ts'

/** The world as far as paths depend on it. Changed by events. */
export interface Situation {
  readonly boxes: readonly Middlebox[]
  /** Where each machine is now. */
  readonly machines: Machine[]
  /** Machines that have been elsewhere, by position. */
  readonly roamed: Set<number>
  /** Whether nodes search for the ports of hard NATs. */
  readonly opensDoors: boolean
  /** With one STUN server alone nobody can tell whether a NAT maps per destination: whoever is asked searches. */
  readonly isUnsure: boolean
  /** Boxes that let no UDP through, by number. */
  readonly blocked: Set<number>
  /** Pairs of ways out that do not reach each other across the Internet: see {@link wayOut}. */
  readonly parted: Set<string>
}

/** Returns the situation a topology begins with. */
export function situationOf({ boxes, machines, relays }: Topology, opensDoors = false): Situation {
  return {
    boxes,
    machines: [...machines],
    roamed: new Set(),
    opensDoors,
    isUnsure: relays.length === 1,
    blocked: new Set(),
    parted: new Set(),
  }
}

/** Tells whether the machines with these numbers (from 0) can be direct; `perhaps` where it takes luck. */
export function canBeDirect(now: Situation, a: number, b: number): boolean | 'perhaps' {
  const promised = promises(now, a, b)
  if (isDirectBy({ ...now, boxes: promised }, a, b)) return true
  const hasRoamed = now.roamed.has(a) || now.roamed.has(b)
  const lucky = { ...now, boxes: now.boxes.map((box) => withMapping(box, fortune(box, hasRoamed))) }
  if (isDirectBy(lucky, a, b)) return 'perhaps'
  return now.opensDoors && canBeSearched(lucky, a, b) ? 'perhaps' : false
}

/**
 * Whether it takes only the port that the NATs of one side have drawn for the other, which has one port for all, or does not
 * know that it has not: a search finds it sooner or later.
 */
export function canBeSearched(now: Situation, a: number, b: number): boolean {
  const boxes = promises(now, a, b)
  return [
    [a, b],
    [b, a],
  ].some(([hard, easy]) => {
    const [theirs, ours] = [hard!, easy!].map((n) => chainOf(boxes, now.machines[n]!.behind)) as [
      Chain,
      Chain,
    ]
    if (!now.isUnsure && kindOf({ ...now, boxes }, ours).mapping !== OPEN.mapping) return false
    const known = boxes.map((box, n) =>
      theirs.includes(n) && box.mapping !== 'none' ? withMapping(box, OPEN.mapping) : box,
    )
    return isDirectBy({ ...now, boxes: known }, a, b)
  })
}

function promises(now: Situation, a: number, b: number): Middlebox[] {
  const hasRoamed = now.roamed.has(a) || now.roamed.has(b)
  return now.boxes.map((box) => withMapping(box, promise(box, hasRoamed)))
}

function withMapping(box: Middlebox, mapping: Middlebox['mapping']): Middlebox {
  return { ...box, mapping }
}

/**
 * Linux maps by address and port, but to the same port: as good as one mapping for all, unless a mapping of one's former
 * self holds the port.
 */
function promise({ mapping, ports }: Middlebox, hasRoamed: boolean): Middlebox['mapping'] {
  return ports === 'overload' && !hasRoamed ? OPEN.mapping : mapping
}

/** A port that is kept may be the one expected; and one made towards an address serves whoever comes to be there. */
function fortune({ mapping, ports }: Middlebox, hasRoamed: boolean): Middlebox['mapping'] {
  const isLucky = ports !== 'random' || (hasRoamed && mapping === 'address-dependent')
  return mapping !== 'none' && isLucky ? OPEN.mapping : mapping
}

function isDirectBy(now: Situation, a: number, b: number): boolean {
  const [one, two] = [standing(now, a), standing(now, b)]
  const both = (family: 'ipv4' | 'ipv6'): boolean =>
    [one, two].every(({ machine: { families } }) => families === family || families === 'both')
  return (both('ipv6') && isOpenWithin(now, one, two)) || (both('ipv4') && canMeet(now, one, two))
}

/** The boxes from a machine to the Internet, the nearest first. */
type Chain = readonly number[]

/** A machine and what stands before it. */
interface Standing {
  readonly machine: Machine
  readonly chain: Chain
  /** See {@link wayOut}. */
  readonly wayOut: string
}

function standing(now: Situation, number: number): Standing {
  const machine = now.machines[number]!
  return { machine, chain: chainOf(now.boxes, machine.behind), wayOut: wayOut(now, number) }
}

/** Returns the numbers of the boxes that stand before somebody behind one of them, the nearest first. */
export function chainOf(boxes: readonly Middlebox[], behind: number | undefined): Chain {
  return behind === undefined ? [] : [behind, ...chainOf(boxes, boxes[behind]!.behind)]
}

/** Returns where a machine's packets come onto the Internet: the number of a box, or of the node itself. */
export function wayOut({ boxes, machines }: Situation, machine: number): string {
  const last = chainOf(boxes, machines[machine]!.behind).at(-1)
  return last === undefined ? `node ${machine + 1}` : `box ${last}`
}

/** Returns the name of a parting of two ways out. */
export function partingOf(one: string, two: string): string {
  return [one, two].sort().join(' / ')
}

/** The parts of two chains below where they join; and the boxes they share. */
function below(one: Chain, two: Chain): { mine: Chain; theirs: Chain; common: Chain } {
  const common = one.filter((box) => two.includes(box))
  return {
    mine: one.filter((box) => !common.includes(box)),
    theirs: two.filter((box) => !common.includes(box)),
    common,
  }
}

/** Whether UDP gets from one to the other where the two chains join. */
function isOpenWithin(now: Situation, one: Standing, two: Standing): boolean {
  const { mine, theirs, common } = below(one.chain, two.chain)
  const [joint] = common
  const isApart =
    joint === undefined ? now.parted.has(partingOf(one.wayOut, two.wayOut)) : now.boxes[joint]!.isolated
  return !isApart && passes(now, mine, theirs)
}

function passes({ blocked }: Situation, ...chains: readonly Chain[]): boolean {
  return chains.every((chain) => chain.every((box) => !blocked.has(box)))
}

function canMeet(now: Situation, one: Standing, two: Standing): boolean {
  const { mine, theirs, common } = below(one.chain, two.chain)
  if (isOpenWithin(now, one, two) && canPunch(sideWithin(now, one, mine), sideWithin(now, two, theirs)))
    return true
  return common.some((box) => isNat(now, box) && now.boxes[box]!.hairpin && canTurnAt(now, one, two, box))
}

/** Through the outside of a NAT they share, which sends back in what comes from within. */
function canTurnAt(now: Situation, one: Standing, two: Standing, box: number): boolean {
  const upTo = ({ chain }: Standing): Chain => chain.slice(0, chain.indexOf(box) + 1)
  const [up, down] = [upTo(one), upTo(two)]
  return passes(now, up, down) && canPunch(sideWithin(now, one, up), sideWithin(now, two, down))
}

/** A machine as it is seen from beyond the first boxes of its chain. */
function sideWithin(now: Situation, { machine, chain }: Standing, part: Chain): Side {
  const [gateway, ...beyond] = part
  const isMapped = gateway !== undefined && machine.mapsPorts && now.boxes[gateway]!.portMapping !== undefined
  // For a port that is mapped the gateway is open both ways.
  const out = kindOf(now, isMapped ? beyond : part)
  const nat = outermostNat(now, chain)
  // Its own address, or its gateway's, if nothing beyond changes it; else what STUN's servers saw, if that is here.
  const isPlain = !(isMapped ? beyond : part).some((box) => isNat(now, box))
  const isSeen = nat !== undefined && part.includes(nat) && passes(now, chain)
  const offer: Offer = { isSteady: out.mapping === OPEN.mapping, filtering: out.filtering }
  return { out, offers: isPlain || isSeen ? [offer] : [] }
}

function isNat({ boxes }: Situation, box: number): boolean {
  return boxes[box]!.mapping !== 'none'
}

/** Returns the number of the last box of a chain that translates. */
export function outermostNat(now: Situation, chain: Chain): number | undefined {
  return chain.findLast((box) => isNat(now, box))
}

/** Returns what a machine's boxes do together, as far as they promise it; its mapped port counts. */
export function promisedKind(now: Situation, machine: number): Kind {
  const { chain, machine: own } = standing(now, machine)
  const [gateway, ...beyond] = chain
  const isMapped = gateway !== undefined && own.mapsPorts && now.boxes[gateway]!.portMapping !== undefined
  return kindOf({ ...now, boxes: promises(now, machine, machine) }, isMapped ? beyond : chain)
}

function kindOf({ boxes }: Situation, chain: Chain): Kind {
  return chain.reduce<Kind>((kind, number) => {
    const { mapping, filtering } = boxes[number]!
    const effective = mapping === 'none' ? OPEN.mapping : mapping
    return { mapping: stricter(kind.mapping, effective), filtering: stricter(kind.filtering, filtering) }
  }, OPEN)
}

function stricter<T extends (typeof BEHAVIOURS)[number]>(a: T, b: T): T {
  return BEHAVIOURS.indexOf(a) > BEHAVIOURS.indexOf(b) ? a : b
}
