// A router as different viewers see it: everybody gets its addresses, but of its routes only those the policy gives them a use
// for (control §7.6). What is left out is not told at all: a client would route there, and the filter of the router would let
// none of it pass. Viewers with the same routes share one object.

import type { NodePolicy } from '@mesh/policy'
import type { Node } from '@mesh/wire/control'

/** Makes and keeps the looks of routers. */
export class RoutedNodes {
  readonly #looks = new WeakMap<Node, Map<string, Node>>()

  /** Returns a node as whoever is judged by `policy` is to see it: itself when they have a use for all of its routes. */
  shown(node: Node, policy: NodePolicy | undefined): Node {
    const { AllowedIPs = [], Addresses } = node
    if (AllowedIPs.length === Addresses.length) return node
    const routes = AllowedIPs.slice(Addresses.length)
    const used = policy?.uses(node.ID, routes) ?? []
    if (used.length === routes.length) return node
    const looks = this.#looks.get(node) ?? new Map<string, Node>()
    this.#looks.set(node, looks)
    const key = used.join()
    const look = looks.get(key) ?? withRoutes(node, used)
    looks.set(key, look)
    return look
  }
}

function withRoutes(node: Node, routes: readonly string[]): Node {
  const { PrimaryRoutes = [], ...rest } = node
  const primary = PrimaryRoutes.filter((route) => routes.includes(route))
  return {
    ...rest,
    AllowedIPs: [...node.Addresses, ...routes],
    ...(primary.length > 0 ? { PrimaryRoutes: primary } : {}),
  }
}
