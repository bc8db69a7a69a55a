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
  readonly primary: readonly string[]
  /** Whether it takes part, answering or not. */
  readonly isConnected: boolean
  /** Whether traffic would get through it. */
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

/** Returns what goes to a node. */
export function routesOf(record: NodeRecord): NodeRoutes {
  const offers = servableRoutes(record)
  if (offers.length === 0) return NO_ROUTES
  return { primary: record.primaryRoutes, served: [...record.primaryRoutes, ...offers.filter(isExitRoute)] }
}

/** Knows who offers what, and elects primaries. Who was elected is part of the records, so that all servers agree. */
export class RouteTable {
  readonly #routers = new Map<number, Router>()
  #contested = new Set<string>()
  #contenders: ReadonlySet<number> | undefined

  /** Takes how a node stands now; `undefined` for one that is gone. */
  update(id: number, record: NodeRecord | undefined, isConnected: boolean): void {
    const isThere = isConnected && record?.silent !== true
    const before = this.#routers.get(id)
    const offers = record ? servableRoutes(record).filter((route) => !isExitRoute(route)) : []
    const primary = record?.primaryRoutes ?? []
    if (!before && offers.length === 0 && primary.length === 0) return
    if (offers.length > 0 || primary.length > 0)
      this.#routers.set(id, { offers, primary, isConnected, isThere })
    else this.#routers.delete(id)
    this.#contenders = undefined
    for (const route of [...(before?.offers ?? []), ...(before?.primary ?? []), ...offers, ...primary])
      this.#contested.add(route)
  }

  /** Returns the nodes that take part and offer a route that another such node offers. */
  contenders(): ReadonlySet<number> {
    if (this.#contenders) return this.#contenders
    const byRoute = new Map<string, number[]>()
    for (const [id, { offers, isConnected }] of this.#routers)
      if (isConnected) for (const route of offers) byRoute.set(route, [...(byRoute.get(route) ?? []), id])
    this.#contenders = new Set([...byRoute.values()].filter((ids) => ids.length > 1).flat())
    return this.#contenders
  }

  /** Elects where something changed. Returns the nodes whose primary routes are others now, with those. */
  elect(): ReadonlyMap<number, readonly string[]> {
    const elected = new Map<number, readonly string[]>()
    const contested = this.#contested
    if (contested.size === 0) return elected
    this.#contested = new Set()
    const winners = new Map(Array.from(contested, (route) => [route, this.#winner(route)]))
    for (const [id, { offers, primary }] of this.#routers) {
      const wins = (route: string): boolean =>
        contested.has(route) ? winners.get(route) === id : primary.includes(route)
      const next = offers.filter(wins)
      if (next.join() !== primary.join()) elected.set(id, next)
    }
    return elected
  }

  /** The primary stays while it is there; when nobody is, it stays too: traffic rather waits than leaks elsewhere. */
  #winner(route: string): number | undefined {
    const able = [...this.#routers].filter(([, { offers }]) => offers.includes(route))
    const holder = able.find(([, { primary }]) => primary.includes(route))
    if (holder?.[1].isThere) return holder[0]
    return (able.find(([, { isThere }]) => isThere) ?? holder ?? able[0])?.[0]
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
