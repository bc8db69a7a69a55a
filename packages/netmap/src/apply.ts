// From one map to the next: what a map response means, field by field (control protocol §3.5 and §3.6). A field
// that is absent leaves things as they are; the order inside one message is fixed: the peers first, removed, then
// changed, then seen, online and patched; then everything else.
import type { MapResponse } from '@mesh/wire/control'
import { applyFilters } from './apply-filters.ts'
import { applyPeers } from './apply-peers.ts'
import { applyDerpMap, applyHealth, applyMessages, applyUsers, clockOffset } from './apply-rest.ts'
import { compareMaps, type MapChanges, NO_CHANGES } from './changes.ts'
import { isExpired, isPast, type MapNode, readNode } from './map-node.ts'
import type { NetworkMap } from './network-map.ts'

/** What {@link applyMapResponse} needs besides the message. */
export interface ApplyOptions {
  /** This machine's wall clock, milliseconds since 1970. */
  readonly wallNow: number
  /**
   * The last map of the session before, when a new session begins. The snapshot is then compared with it, so that
   * a reconnect that brings the same network changes nothing below.
   */
  readonly previous?: NetworkMap | undefined
}

/** The next map, and what is different in it. */
export interface MapUpdate {
  /** The map after the message. */
  readonly map: NetworkMap
  /** What changed. */
  readonly changes: MapChanges
}

/**
 * Returns the map after `response`, and what changed.
 *
 * `map` is `undefined` at the start of every map session: control then begins with a snapshot, and nothing of an
 * earlier session may linger. Returns `undefined` when there is no map and the response brings no `Node`: as a first
 * message that is an error, unless it is a keep-alive (control protocol §3.4).
 */
export function applyMapResponse(
  map: NetworkMap | undefined,
  response: MapResponse,
  options: ApplyOptions,
): MapUpdate | undefined {
  if (response.KeepAlive === true) return map && applyKeepAlive(map, response, options)
  if (map === undefined && response.Node === undefined) return undefined
  const reference = map ?? options.previous
  const offset = clockOffset(response.ControlTime, options.wallNow, map?.clockOffset ?? 0)
  const controlNow = options.wallNow + offset
  const next: NetworkMap = {
    self: readSelf(response, reference?.self, controlNow),
    peers: applyPeers(
      map?.peers ?? [],
      response,
      controlNow,
      map === undefined ? options.previous : undefined,
    ),
    derpMap: keep(applyDerpMap(map?.derpMap, response.DERPMap), reference?.derpMap),
    dns: keep(response.DNSConfig ?? map?.dns ?? {}, reference?.dns),
    domain: response.Domain || (map?.domain ?? ''),
    ...applyFilters(map, response, reference),
    userProfiles: applyUsers(map?.userProfiles, response.UserProfiles),
    sshPolicy: keep(response.SSHPolicy ?? map?.sshPolicy, reference?.sshPolicy),
    collectServices: response.CollectServices ?? map?.collectServices,
    health: applyHealth(map?.health, response.Health),
    messages: applyMessages(map?.messages, response.DisplayMessages),
    tkaInfo: response.TKAInfo ?? map?.tkaInfo,
    auditLogId: response.DomainDataPlaneAuditLogID ?? map?.auditLogId ?? '',
    clientVersion: response.ClientVersion ?? map?.clientVersion,
    dialPlan: response.ControlDialPlan ?? map?.dialPlan,
    clockOffset: offset,
  }
  return { map: next, changes: compareMaps(reference, next) }
}

/**
 * Returns the map in which every node whose key has ended by now is marked so, and what changed; the same map when
 * none has. Control need not say so: a key ends by the clock (control protocol §3.8).
 */
export function expireNodes(map: NetworkMap, wallNow: number): MapUpdate {
  const controlNow = wallNow + map.clockOffset
  const ended = (node: MapNode) => !node.expired && isPast(node.keyExpiry, controlNow)
  const mark = (node: MapNode): MapNode => (ended(node) ? { ...node, expired: true } : node)
  if (!ended(map.self) && !map.peers.some(ended)) return { map, changes: NO_CHANGES }
  const next = { ...map, self: mark(map.self), peers: map.peers.map(mark) }
  return { map: next, changes: compareMaps(map, next) }
}

/** Returns this machine's wall time at which the next key ends; `Infinity` when none will. */
export function nextExpiry(map: NetworkMap): number {
  let next = Infinity
  for (const node of [map.self, ...map.peers]) {
    if (node.keyExpiry !== undefined && !node.expired) next = Math.min(next, node.keyExpiry - map.clockOffset)
  }
  return next
}

/** A keep-alive may carry these three, and nothing else counts (control protocol §3.3). */
function applyKeepAlive(map: NetworkMap, response: MapResponse, options: ApplyOptions): MapUpdate {
  const offset = clockOffset(response.ControlTime, options.wallNow, map.clockOffset)
  const dialPlan = response.ControlDialPlan ?? map.dialPlan
  const clientVersion = response.ClientVersion ?? map.clientVersion
  if (offset === map.clockOffset && dialPlan === map.dialPlan && clientVersion === map.clientVersion) {
    return { map, changes: NO_CHANGES }
  }
  const next = { ...map, clockOffset: offset, dialPlan, clientVersion }
  return { map: next, changes: compareMaps(map, next) }
}

function readSelf(response: MapResponse, previous: MapNode | undefined, controlNow: number): MapNode {
  if (response.Node === undefined) return previous!
  if (previous !== undefined && equalJson(response.Node, previous.source)) {
    const expired = isExpired(previous.source, previous.keyExpiry, controlNow)
    return expired === previous.expired ? previous : { ...previous, expired }
  }
  return readNode(response.Node, controlNow, previous)
}

/** Returns `previous` when `value` says the same, so that a comparison of references finds no change. */
function keep<T>(value: T, previous: T | undefined): T {
  return previous !== undefined && value !== previous && equalJson(value, previous) ? previous : value
}

/** Returns whether two values of one JSON shape are written alike. */
export function equalJson(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b)
}
