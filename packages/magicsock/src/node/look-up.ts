// Relays known by name only: their addresses, asked of the system's resolver before STUN can go there.
import { lookup } from 'node:dns/promises'
import { type IpAddress, parseAddress } from '@mesh/wire/ip'
import type { RelayMap, RelayNode, RelayRegion } from '../relay-map.ts'

/** Tells whether any node waits for its name to be looked up. */
export function needsLookUp(relays: RelayMap): boolean {
  return [...relays.values()].some((region) => region.nodes.some((node) => node.lookUp === true))
}

/** Returns the map with the addresses of all nodes that could be found. Never rejects: who is not found has none. */
export async function lookUpRelays(relays: RelayMap): Promise<RelayMap> {
  const regions = await Promise.all([...relays.values()].map(lookUpRegion))
  return new Map(regions.map((region) => [region.id, region]))
}

async function lookUpRegion(region: RelayRegion): Promise<RelayRegion> {
  return { ...region, nodes: await Promise.all(region.nodes.map(lookUpNode)) }
}

async function lookUpNode(node: RelayNode): Promise<RelayNode> {
  if (node.lookUp !== true) return node
  const [ipv4, ipv6] = await Promise.all([ask(node.hostName, 4), ask(node.hostName, 6)])
  return { ...node, ipv4, ipv6 }
}

async function ask(hostName: string, family: 4 | 6): Promise<IpAddress | undefined> {
  try {
    const { address } = await lookup(hostName, { family })
    return parseAddress(address)
  } catch {
    return undefined
  }
}
