// Relays as an administrator names them, written as the map that nodes get (data-plane §2.15). Each relay is a region of
// its own; regions 900 to 999 are by convention those of one's own relays.

import type { DERPMap, DERPNode } from '@mesh/wire/control'
import { formatAddress, parseAddress } from '@mesh/wire/ip'

const FIRST_OWN_REGION = 900
const LAST_OWN_REGION = 999

/** One relay, before it has a region. */
export interface RelayEntry {
  /** A name or an address, without brackets. */
  readonly host: string
  /** The TCP port. */
  readonly port: number
  /** The UDP port of its STUN answerer; -1 when it has none. */
  readonly stunPort: number
  /** The number of its region; the first free one from 900 on, in order, when left out. */
  readonly region?: number
  /** Whether clients must not check its certificate: for tests, and for relays without TLS. */
  readonly insecure?: boolean
  /** `sha256-raw:` and hex, to pin a certificate that nobody signed. */
  readonly certName?: string
}

/**
 * Returns the relay map for these relays, in the order of regions 900, 901, … but for those that name their own. Throws `RangeError` for more relays than
 * there are numbers.
 */
export function relayMap(relays: readonly RelayEntry[]): DERPMap {
  if (relays.length > LAST_OWN_REGION - FIRST_OWN_REGION + 1) throw new RangeError('relays are too many')
  const regions = relays.map((relay, i) => {
    const RegionID = relay.region ?? FIRST_OWN_REGION + i
    const RegionCode = relays.length === 1 ? 'mesh' : `mesh${i + 1}`
    return [
      RegionID,
      { RegionID, RegionCode, RegionName: relay.host, Nodes: [relayNode(relay, RegionID)] },
    ] as const
  })
  return { Regions: Object.fromEntries(regions) }
}

function relayNode(relay: RelayEntry, RegionID: number): DERPNode {
  return {
    Name: `${RegionID}a`,
    RegionID,
    HostName: relay.host,
    ...addressFields(relay.host),
    DERPPort: relay.port,
    STUNPort: relay.stunPort,
    ...(relay.certName === undefined ? {} : { CertName: relay.certName }),
    ...(relay.insecure ? { InsecureForTests: true } : {}),
  }
}

/** A relay named by address needs no lookup, and has no address of the other family. */
function addressFields(host: string): Pick<DERPNode, 'IPv4' | 'IPv6'> {
  const address = parseAddress(host)
  if (!address) return {}
  const text = formatAddress(address)
  return address.length === 4 ? { IPv4: text, IPv6: 'none' } : { IPv4: 'none', IPv6: text }
}
