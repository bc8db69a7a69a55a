// The relays there are, as magicsock needs to know them: where to send STUN, and which regions may be a home.
import type { IpAddress } from '@mesh/wire/ip'

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
  /** Its STUN port; `-1` when it answers no STUN. */
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
  /** Multiplies the measured latency when the home is chosen; below 1 favours the region. */
  readonly score: number
  /** The region's servers, in the order of preference. */
  readonly nodes: readonly RelayNode[]
}

/** The relay regions by number. */
export type RelayMap = ReadonlyMap<number, RelayRegion>
