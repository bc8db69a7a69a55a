// Who routes what for the others (control §7.7). A node offers prefixes, an administrator approves them, and what is both
// is served. Of several nodes that serve one prefix one is the primary: it stays so while it is there, for a change
// breaks connections. Exit routes are everybody's own choice and have no primary.

import { formatPrefix, maskPrefix, parsePrefix, prefixContains } from '@mesh/wire/ip'
import type { Prefix } from '@mesh/wire/ip'
import type { NodeRecord } from './records.ts'

/** The two routes by which a node offers to be an exit. */
export const EXIT_ROUTES = ['0.0.0.0/0', '::/0'] as const

/** What a node routes. */
export interface NodeRoutes {
  /** What goes to it: exit routes, and prefixes whose primary it is. */
  readonly served: readonly string[]
  /** The prefixes whose primary it is. */
  readonly primary: readonly string[]
}

const NO_ROUTES: NodeRoutes = { served: [], primary: [] }

interface Router {
  readonly offers: readonly string[]
  readonly isThere: boolean
}

/** Returns a prefix in its normal form, without host bits, or `undefined` when the text is none. */
export function normalRoute(text: string): string | undefined {
  const prefix = parsePrefix(text.trim())
  return prefix && formatPrefix(maskPrefix(prefix))
}

/** Tells whether a prefix is an exit route. */
export function isExitRoute(route: string): boolean {
  return route === EXIT_ROUTES[0] || route === EXIT_ROUTES[1]
}

/** Tells whether a prefix lies in the range of the nodes' own addresses, which nobody routes for others. */
export function isInsideMesh(route: string): boolean {
  const prefix = parsePrefix(route)
  if (!prefix) return false
  if (within(FOUR_VIA_SIX, prefix)) return false
  return MESH_RANGES.some((range) => within(range, prefix))
}

/** Returns what a node offers and may serve, in the order in which it offers it. */
export function servableRoutes(record: NodeRecord): readonly string[] {
  if (record.approvedRoutes.length === 0) return []
  const approved = new Set(record.approvedRoutes)
  return (record.hostinfo.RoutableIPs ?? []).filter((route) => approved.has(route))
}

/** Knows who serves what, and chooses primaries. */
export class RouteTable {
  readonly #routers = new Map<number, Router>()
  readonly #primaries = new Map<string, number>()

  /**
   * Takes how a node stands now; without offers it is no router.
   *
   * @returns The nodes whose routes changed by it, itself or others.
   */
  update(id: number, offers: readonly string[], isThere: boolean): ReadonlySet<number> {
    const before = this.#routers.get(id)
    const changed = new Set<number>()
    if (before?.isThere === isThere && before.offers.join() === offers.join()) return changed
    if (offers.length > 0) this.#routers.set(id, { offers, isThere })
    else this.#routers.delete(id)
    if (before?.offers.join() !== offers.join()) changed.add(id)
    for (const route of new Set([...(before?.offers ?? []), ...offers])) this.#elect(route, changed)
    return changed
  }

  /** Returns what goes to a node. */
  routesOf(id: number): NodeRoutes {
    const router = this.#routers.get(id)
    if (!router) return NO_ROUTES
    const primary = router.offers.filter((route) => this.#primaries.get(route) === id)
    return { primary, served: [...primary, ...router.offers.filter(isExitRoute)] }
  }

  /** The primary stays while it is there; when nobody is, it stays too: traffic rather waits than leaks elsewhere. */
  #elect(route: string, changed: Set<number>): void {
    if (isExitRoute(route)) return
    const current = this.#primaries.get(route)
    const able = [...this.#routers].filter(([, router]) => router.offers.includes(route))
    const isAble = able.some(([id]) => id === current)
    if (isAble && this.#routers.get(current as number)?.isThere) return
    const next = able.find(([, router]) => router.isThere)?.[0] ?? (isAble ? current : able[0]?.[0])
    if (next === current) return
    if (next === undefined) this.#primaries.delete(route)
    else this.#primaries.set(route, next)
    for (const id of [current, next]) if (id !== undefined) changed.add(id)
  }
}

const MESH_RANGES: readonly Prefix[] = ['100.64.0.0/10', 'fd7a:115c:a1e0::/48'].map(known)
/** Subnets of one network told apart by site travel in this part of the nodes' range. */
const FOUR_VIA_SIX = known('fd7a:115c:a1e0:b1a::/64')

function known(text: string): Prefix {
  return parsePrefix(text) as Prefix
}

function within(outer: Prefix, inner: Prefix): boolean {
  if (outer.address.length !== inner.address.length) return false
  return inner.bits >= outer.bits && prefixContains(outer, inner.address)
}
