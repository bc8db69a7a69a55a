// The relays there are, by region (control protocol §4.6).

import {
  bool,
  dictionary,
  filled,
  float,
  int,
  type JsonDecoder,
  list,
  nullable,
  object,
  optional,
  text,
} from './schema.ts'

/** One relay. */
export interface DERPNode {
  /** A name that is unique in the map. */
  readonly Name: string
  /** The region it stands in. */
  readonly RegionID: number
  /** The name to dial, and the TLS name. */
  readonly HostName: string
  /** Another TLS name to expect, or `sha256-raw:<hex>` to pin a certificate. */
  readonly CertName?: string
  /** The IPv4 address; empty means "look up", anything else that is no address means "none". */
  readonly IPv4?: string
  /** The IPv6 address; empty means "look up", anything else that is no address means "none". */
  readonly IPv6?: string
  /** The STUN port: 0 means 3478, -1 means none. */
  readonly STUNPort?: number
  /** Whether it only answers STUN. */
  readonly STUNOnly?: boolean
  /** The relay's port: 0 means 443. */
  readonly DERPPort?: number
  /** Whether its certificate is not to be checked. */
  readonly InsecureForTests?: boolean
  /** The address to test STUN with. */
  readonly STUNTestIP?: string
  /** Whether it also answers on port 80. */
  readonly CanPort80?: boolean
}

/** Relays near each other, among which a node has one home. */
export interface DERPRegion {
  /** The region's number; equals its key in the map. */
  readonly RegionID: number
  /** A short code. */
  readonly RegionCode: string
  /** A name for people. */
  readonly RegionName: string
  /** Degrees north. */
  readonly Latitude?: number
  /** Degrees east. */
  readonly Longitude?: number
  /** Whether it is taken only when there is nothing else. */
  readonly Avoid?: boolean
  /** Whether it is neither measured nor anybody's home. */
  readonly NoMeasureNoHome?: boolean
  /** The relays. */
  readonly Nodes: readonly DERPNode[]
}

/** What sways the choice of a home. */
export interface DERPHomeParams {
  /** Latency is multiplied by a region's score; absent keeps the scores as they are. */
  readonly RegionScore?: Readonly<Record<string, number>>
}

/** All relays. In an update, absent `Regions` keeps them and `{}` takes them all away. */
export interface DERPMap {
  /** What sways the choice of a home. */
  readonly HomeParams?: DERPHomeParams
  /** The regions by number; a region that was sent as `null` is left out here. */
  readonly Regions?: Readonly<Record<string, DERPRegion>>
  /** Whether the default regions are left out; only in policies. */
  readonly omitDefaultRegions?: boolean
}

const decodeDERPNode: JsonDecoder<DERPNode> = object<DERPNode>({
  Name: filled(text, ''),
  RegionID: filled(int, 0),
  HostName: filled(text, ''),
  CertName: optional(text),
  IPv4: optional(text),
  IPv6: optional(text),
  STUNPort: optional(int),
  STUNOnly: optional(bool),
  DERPPort: optional(int),
  InsecureForTests: optional(bool),
  STUNTestIP: optional(text),
  CanPort80: optional(bool),
})

const decodeDERPRegion: JsonDecoder<DERPRegion> = object<DERPRegion>({
  RegionID: filled(int, 0),
  RegionCode: filled(text, ''),
  RegionName: filled(text, ''),
  Latitude: optional(float),
  Longitude: optional(float),
  Avoid: optional(bool),
  NoMeasureNoHome: optional(bool),
  Nodes: filled(list(decodeDERPNode), []),
})

const decodeRegions: JsonDecoder<Readonly<Record<string, DERPRegion>>> = (value) => {
  const regions = dictionary(nullable(decodeDERPRegion))(value)
  if (regions === undefined) return undefined
  const present = Object.create(null) as Record<string, DERPRegion>
  for (const [key, region] of Object.entries(regions)) {
    if (region !== null && String(region.RegionID) === key) present[key] = region
  }
  return present
}

/** Reads a relay map. A region that is `null`, or whose number is not its key, is left out: both broke clients. */
export const decodeDERPMap: JsonDecoder<DERPMap> = object<DERPMap>({
  HomeParams: optional(object<DERPHomeParams>({ RegionScore: optional(dictionary(float)) })),
  Regions: optional(decodeRegions),
  omitDefaultRegions: optional(bool),
})
