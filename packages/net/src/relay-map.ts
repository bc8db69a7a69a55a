// The relays of the map, in the words of magicsock.
import type { RelayMap, RelayNode, RelayRegion } from '@mesh/magicsock'
import { DEFAULT_STUN_PORT } from '@mesh/magicsock'
import type { DERPMap, DERPNode, DERPRegion } from '@mesh/wire/control'
import { type IpAddress, parseAddress } from '@mesh/wire/ip'

/** Returns the relays of a DERP map; none when control told none. */
export function relayMap(derpMap: DERPMap | undefined): RelayMap {
  const scores = derpMap?.HomeParams?.RegionScore ?? {}
  const regions = Object.values(derpMap?.Regions ?? {})
  return new Map(regions.map((region) => [region.RegionID, readRegion(region, scores[region.RegionID] ?? 1)]))
}

function readRegion(region: DERPRegion, score: number): RelayRegion {
  return {
    id: region.RegionID,
    code: region.RegionCode,
    noMeasureNoHome: region.NoMeasureNoHome === true,
    score,
    nodes: region.Nodes.map(readNode),
  }
}

/** A text in the place of an address that is not one, such as `none`, turns the family off (section 2.15). */
function readNode(node: DERPNode): RelayNode {
  const byName = parseAddress(node.HostName)
  return {
    name: node.Name,
    hostName: node.HostName,
    ipv4: readAddress(node.IPv4, 4, byName),
    ipv6: readAddress(node.IPv6, 16, byName),
    stunPort: node.STUNPort || DEFAULT_STUN_PORT,
  }
}

function readAddress(
  text: string | undefined,
  length: number,
  byName: IpAddress | undefined,
): IpAddress | undefined {
  const address = text ? parseAddress(text) : byName
  return address?.length === length ? address : undefined
}
