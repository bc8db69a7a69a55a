// The packet filter comes in named parts, so that one may be changed without the others (control protocol §3.5).
import type { FilterRule, MapResponse } from '@mesh/wire/control'
import type { NetworkMap } from './network-map.ts'

/** The name of the part that the older field `PacketFilter` sets. */
const BASE = 'base'

/** The key whose `null` clears every part before the rest of the message counts. */
const ALL = '*'

type Filters = Pick<NetworkMap, 'packetFilters' | 'packetFilter'>

/** Returns the filter after `response`; the values of `reference` come back when it says the same. */
export function applyFilters(
  map: Filters | undefined,
  response: MapResponse,
  reference: Filters | undefined,
): Filters {
  if (map !== undefined && response.PacketFilter === undefined && response.PacketFilters === undefined) {
    return { packetFilters: map.packetFilters, packetFilter: map.packetFilter }
  }
  const parts = new Map(map?.packetFilters)
  if (response.PacketFilter !== undefined) parts.set(BASE, response.PacketFilter)
  const changes = response.PacketFilters
  if (changes !== undefined) {
    if (Object.hasOwn(changes, ALL) && changes[ALL] === null) parts.clear()
    for (const [name, rules] of Object.entries(changes)) {
      if (rules !== null) parts.set(name, rules)
      else parts.delete(name)
    }
  }
  const packetFilter = inOrder(parts)
  if (reference !== undefined && JSON.stringify(packetFilter) === JSON.stringify(reference.packetFilter)) {
    return { packetFilters: parts, packetFilter: reference.packetFilter }
  }
  return { packetFilters: parts, packetFilter }
}

function inOrder(parts: ReadonlyMap<string, readonly FilterRule[]>): readonly FilterRule[] {
  const names = [...parts.keys()].sort((a, b) => (a < b ? -1 : Number(a > b)))
  return names.flatMap((name) => parts.get(name) ?? [])
}
