// Finding a node in the map: by number, by name, by address. The indexes are made at the first question and live
// as long as the map they belong to.
import type { IpAddress } from '@mesh/wire/ip'
import { findNode, type MapNode } from './map-node.ts'
import { displayName, magicDnsSuffix, type NetworkMap } from './network-map.ts'

interface Index {
  readonly byName: ReadonlyMap<string, MapNode>
  readonly byAddress: ReadonlyMap<string, MapNode>
}

const indexes = new WeakMap<NetworkMap, Index>()

/** Returns the peer with this number, or `undefined`. The node itself is not a peer. */
export function peerById(map: NetworkMap, id: number): MapNode | undefined {
  return findNode(map.peers, id)
}

/**
 * Returns the node, this one included, with this name: whole with or without the trailing dot, or only its first
 * part when it is of this network. Capitals do not matter.
 */
export function nodeByName(map: NetworkMap, name: string): MapNode | undefined {
  return indexOf(map).byName.get(normalName(name))
}

/** Returns the node, this one included, that has exactly this address as its own, or `undefined`. */
export function nodeByAddress(map: NetworkMap, address: IpAddress): MapNode | undefined {
  return indexOf(map).byAddress.get(addressKey(address))
}

function indexOf(map: NetworkMap): Index {
  const known = indexes.get(map)
  if (known !== undefined) return known
  const byName = new Map<string, MapNode>()
  const byAddress = new Map<string, MapNode>()
  const suffix = magicDnsSuffix(map)
  for (const node of [map.self, ...map.peers]) {
    const whole = normalName(node.name)
    addFirst(byName, whole, node)
    if (suffix !== '') addFirst(byName, normalName(displayName(map, node)), node)
    for (const { address } of node.addresses) addFirst(byAddress, addressKey(address), node)
  }
  const index = { byName, byAddress }
  indexes.set(map, index)
  return index
}

function addFirst(index: Map<string, MapNode>, key: string, node: MapNode): void {
  if (key !== '' && !index.has(key)) index.set(key, node)
}

function normalName(name: string): string {
  return name.replace(/\.$/, '').toLowerCase()
}

function addressKey(address: IpAddress): string {
  return address.join('.')
}
