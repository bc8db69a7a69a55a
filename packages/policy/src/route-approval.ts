// Which of the routes a node offers are approved by the policy (control §7.7).
import { maskPrefix, parsePrefix, type Prefix, prefixContains } from '@mesh/wire/ip'
import type { Approvers } from './language/approvers.ts'
import type { Selector } from './language/selector.ts'
import type { Member, Network } from './network.ts'

/** Returns those of the offered routes, as they are written, that need nobody's word. */
export function approvedByPolicy(
  member: Member,
  offered: readonly string[],
  { routes, exitNode }: Approvers,
  network: Network,
): readonly string[] {
  const isApprover = (selectors: readonly Selector[]): boolean =>
    selectors.some((selector) => network.identified(selector)?.includes(member))
  return offered.filter((text) => {
    const route = parsePrefix(text)
    if (!route) return false
    // A way out to everywhere is for `exitNode` alone to allow, whatever blocks are listed.
    if (route.bits === 0) return isApprover(exitNode)
    return routes.some(({ block, approvers }) => liesWithin(route, block) && isApprover(approvers))
  })
}

function liesWithin(route: Prefix, block: Prefix): boolean {
  return route.bits >= block.bits && prefixContains(block, maskPrefix(route).address)
}
