// The relays there are, as magicsock needs to know them: where to send STUN, and which regions may be a home.
import type { DERPMap, DERPNode, DERPRegion } from '@mesh/wire/control'
import { type IpAddress, parseAddress } from '@mesh/wire/ip'

/** The STUN port of a node that names none (data-plane.md section 2.15). */
export const DEFAULT_STUN_PORT = 3478

/** One relay server of a region. Its addresses must be known: a name is looked up by the owner beforehand. */
export interface RelayNode {
  /** The node's name, unique in the map. */
  readonly name: string
  /** Its DNS name or address as text: for the owner, who dials and resolves; the machine does not read it. */
  readonly hostName: string
  /** Its IPv4 address; `undefined` when it has none or nobody has looked it up yet. */
  readonly ipv4: IpAddress | undefined
  /** Its IPv6 address; `undefined` when it has none or nobody has looked it up yet. */
  readonly ipv6: IpAddress | undefined
  /** Whether the addresses are still to be looked up by the host name. */
  readonly lookUp?: boolean
  /** Its STUN port; 0 for the usual one, -1 when it answers no STUN. */
  readonly stunPort: number
}

/** Relays close to each other, known to the others by one number. */
export interface RelayRegion {
  /** The region's number, 1 or more. */
  readonly id: number
  /** The short name that status shows, such as `fra`. */
  readonly code: string
  /** Not to be measured and never a home; still dialled for peers that live there. */
  readonly noMeasureNoHome: boolean
  /** Its name for people, such as `Frankfurt`. */
  readonly name?: string
  /** Better left alone: asked in full checks only, unless it is the home. */
  readonly avoid?: boolean
  /** Multiplies the measured latency when the home is chosen; below 1 favours the region. */
  readonly score: number
  /** The region's servers, in the order of preference. */
  readonly nodes: readonly RelayNode[]
}

/** The relay regions by number. */
export type RelayMap = ReadonlyMap<number, RelayRegion>

/**
 * Returns the relays of a DERP map as control sends it. A node whose address is to be looked up has none yet.
 *
 * An address text that is no address, such as `none`, means that the node has no address of that family; `lookUp`
 * tells the two apart.
 */
export function relayMapOf(map: DERPMap): RelayMap {
  const scores = map.HomeParams?.RegionScore ?? {}
  const regions = Object.values(map.Regions ?? {})
  return new Map(
    regions.map((region) => [region.RegionID, regionOf(region, scores[String(region.RegionID)])]),
  )
}

function regionOf(region: DERPRegion, score: number | undefined): RelayRegion {
  return {
    id: region.RegionID,
    code: region.RegionCode,
    name: region.RegionName,
    avoid: region.Avoid === true,
    noMeasureNoHome: region.NoMeasureNoHome === true,
    score: score !== undefined && score > 0 ? score : 1,
    nodes: region.Nodes.map(nodeOf),
  }
}

function nodeOf(node: DERPNode): RelayNode {
  const isTest = node.STUNTestIP !== undefined && node.STUNTestIP !== ''
  const v4 = addressOf(isTest ? node.STUNTestIP : node.IPv4, 4)
  const v6 = addressOf(isTest ? node.STUNTestIP : node.IPv6, 16)
  const literal = parseAddress(node.HostName)
  return {
    name: node.Name,
    hostName: node.HostName,
    ipv4: v4 ?? (literal?.length === 4 && !node.IPv4 ? literal : undefined),
    ipv6: v6 ?? (literal?.length === 16 && !node.IPv6 ? literal : undefined),
    lookUp: !isTest && literal === undefined && !node.IPv4 && !node.IPv6,
    stunPort: node.STUNPort ?? 0,
  }
}

function addressOf(text: string | undefined, length: number): IpAddress | undefined {
  const address = text === undefined ? undefined : parseAddress(text)
  return address?.length === length ? address : undefined
}
