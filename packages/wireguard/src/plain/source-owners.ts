// In plain WireGuard an address has one owner: the peer with the longest prefix around it. A data plane asks another
// question, whether a peer's own list holds the address (data-plane.md 1.7). The two agree once each peer's list has holes
// where longer prefixes of others lie.
import { type Prefix, prefixContains } from '@mesh/wire/ip'
import type { PeerId } from '../packet-batch.ts'

interface Owned {
  readonly prefix: Prefix
  readonly peer: PeerId
}

/** Returns, for each peer that has any, the prefixes of others that lie within its own. No two may own the same one. */
export function foreignPrefixes(owned: readonly Owned[]): ReadonlyMap<PeerId, readonly Prefix[]> {
  const holes = new Map<PeerId, Prefix[]>()
  const around: Owned[] = []
  for (const one of [...owned].sort(outermostFirst)) {
    while (around.length > 0 && !isWithin(one, around.at(-1))) around.pop()
    for (const peer of new Set(around.map((outer) => outer.peer))) {
      if (peer === one.peer) continue
      const list = holes.get(peer)
      if (list === undefined) holes.set(peer, [one.prefix])
      else list.push(one.prefix)
    }
    around.push(one)
  }
  return holes
}

function isWithin(one: Owned, outer: Owned | undefined): boolean {
  return outer !== undefined && prefixContains(outer.prefix, one.prefix.address)
}

/** By family, then by address, and of two at the same address the wider one first. */
function outermostFirst(a: Owned, b: Owned): number {
  const [left, right] = [a.prefix.address, b.prefix.address]
  if (left.length !== right.length) return left.length - right.length
  for (let i = 0; i < left.length; i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.prefix.bits - b.prefix.bits
}
