// What one node may ask of another beyond packets: capabilities that control grants by the rules of the filter
// (control-protocol.md section 4.8, data-plane.md section 5.11).
import type { FilterRule } from '@mesh/wire/control'
import type { IpAddress } from '@mesh/wire/ip'
import { inRanges, toRanges } from './rules.ts'

/** Returns the capabilities that the rules grant to one address toward another. */
export function capabilitiesBetween(
  rules: readonly FilterRule[],
  source: IpAddress,
  destination: IpAddress,
): ReadonlySet<string> {
  const granted = new Set<string>()
  for (const { SrcIPs, CapGrant } of rules) {
    if (CapGrant === undefined || !contains(SrcIPs, source)) continue
    for (const { Dsts, Caps, CapMap } of CapGrant) {
      if (!contains(Dsts, destination)) continue
      for (const name of Caps ?? []) granted.add(name)
      for (const name of Object.keys(CapMap ?? {})) granted.add(name)
    }
  }
  return granted
}

function contains(texts: readonly string[], address: IpAddress): boolean {
  return inRanges(toRanges(texts), address, 0, address.length)
}
