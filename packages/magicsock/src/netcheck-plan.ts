// Which STUN servers a netcheck asks, and when (data-plane.md section 3.4). The first check asks everybody; the
// ones that follow ask the three regions that were fastest, and always the home.
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { NetcheckReport } from './netcheck-report.ts'
import { DEFAULT_STUN_PORT, type RelayMap, type RelayNode, type RelayRegion } from './relay-map.ts'

/** Spacing of the tries in a first check. */
export const INITIAL_RETRANSMIT = 100
/** Spacing of the tries towards a region never measured. */
export const DEFAULT_RETRANSMIT = 200
/** How many regions besides the home an incremental check asks. */
export const INCREMENTAL_REGIONS = 3

const INITIAL_TRIES = 3

/** One request: to whom, and how long after the beginning. */
export interface Probe {
  /** When, in milliseconds after the check began. */
  readonly delay: number
  /** The server. */
  readonly to: Endpoint
}

/** The tries of one region in one family; an answer to any ends the list. */
export interface ProbeList {
  /** The region asked. */
  readonly region: number
  /** The family asked in. */
  readonly family: 4 | 6
  /** The requests, in order. */
  readonly probes: readonly Probe[]
}

/** What a plan is made from. */
export interface PlanInput {
  /** The relays. */
  readonly relays: RelayMap
  /** The home now; 0 for none. */
  readonly home: number
  /** The last report, or `undefined` to ask everybody. */
  readonly last: NetcheckReport | undefined
  /** Whether this machine has an IPv4 socket and address. */
  readonly ipv4: boolean
  /** Whether this machine has an IPv6 socket and address. */
  readonly ipv6: boolean
}

/** Returns what to ask. */
export function planProbes(input: PlanInput): ProbeList[] {
  return input.last === undefined ? initialPlan(input) : incrementalPlan(input, input.last)
}

/** Returns the regions to be measured over HTTPS where there is no UDP. */
export function httpsRegions(input: PlanInput): number[] {
  return otherwiseMeasurable(input).map((region) => region.id)
}

function otherwiseMeasurable({ relays }: PlanInput): RelayRegion[] {
  return measurable(relays).filter((region) => region.avoid !== true && region.nodes.length > 0)
}

/** One host to ping by ICMP where there is no UDP: the first relay of its region that has IPv4. */
export interface IcmpTarget {
  /** The region. */
  readonly region: number
  /** The IPv4 address. */
  readonly address: IpAddress
}

/** Returns whom to ping by ICMP where there is no UDP. A relay that wants no STUN wants no such question either. */
export function icmpTargets(input: PlanInput): IcmpTarget[] {
  if (!input.ipv4) return []
  return otherwiseMeasurable(input).flatMap(({ id, nodes }) => {
    const address = nodes.find(({ ipv4, stunPort }) => ipv4 !== undefined && stunPort >= 0)?.ipv4
    return address === undefined ? [] : [{ region: id, address }]
  })
}

function initialPlan(input: PlanInput): ProbeList[] {
  const delays = Array.from({ length: INITIAL_TRIES }, (_, k) => k * INITIAL_RETRANSMIT)
  return measurable(input.relays).flatMap((region) => [
    ...(input.ipv4 ? listFor(region, 4, delays) : []),
    ...(input.ipv6 ? listFor(region, 6, delays) : []),
  ])
}

function incrementalPlan(input: PlanInput, last: NetcheckReport): ProbeList[] {
  const latencyOf = (region: RelayRegion): number => last.regionLatency.get(region.id) ?? Infinity
  const candidates = measurable(input.relays).filter((r) => r.avoid !== true || r.id === input.home)
  const ranked = candidates.sort((a, b) => latencyOf(a) - latencyOf(b) || a.id - b.id)
  return ranked.flatMap((region, rank) => {
    const isHome = region.id === input.home
    if (rank >= INCREMENTAL_REGIONS && !isHome) return []
    const tries = isHome ? 4 : rank < 2 ? 2 : 1
    const spacing = last.regionLatency.has(region.id) ? latencyOf(region) * 1.2 : DEFAULT_RETRANSMIT
    const delays = Array.from({ length: tries }, (_, k) => k * spacing + (k > 1 ? k * 50 : 0))
    const alternates = rank >= 2 && input.ipv4 && input.ipv6
    const v4 = input.ipv4 && (!alternates || rank % 2 === 0)
    const v6 = input.ipv6 && (!alternates || rank % 2 === 1) && (rank < 2 || last.ipv6)
    return [
      ...(v4 ? listFor(region, 4, delays) : []),
      ...(v6 ? listFor(region, 6, last.ipv6 ? delays : delays.slice(0, 1)) : []),
    ]
  })
}

function measurable(relays: RelayMap): RelayRegion[] {
  return [...relays.values()].filter((region) => !region.noMeasureNoHome)
}

/** Try k goes to node k modulo n, so that one dead server does not hide its region. */
function listFor(region: RelayRegion, family: 4 | 6, delays: readonly number[]): ProbeList[] {
  const servers = region.nodes.flatMap((node) => stunServer(node, family) ?? [])
  if (servers.length === 0) return []
  const probes = delays.map((delay, k) => ({ delay, to: servers[k % servers.length]! }))
  return [{ region: region.id, family, probes }]
}

function stunServer(node: RelayNode, family: 4 | 6): Endpoint | undefined {
  const address = family === 4 ? node.ipv4 : node.ipv6
  if (address === undefined || node.stunPort < 0) return undefined
  return { address, port: node.stunPort === 0 ? DEFAULT_STUN_PORT : node.stunPort }
}
