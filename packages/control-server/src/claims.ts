// What a machine says of itself, cut down to what the network passes on. All of it is a stranger's: an endpoint that is
// no endpoint would make every peer's client refuse its whole map, and a list without end would fill every map
// (control §9.7.6).

import type { Hostinfo, MapRequest, NetInfo, Service } from '@mesh/wire/control'
import { isZeroKey } from '@mesh/wire/control'
import { formatEndpoint, parseEndpoint } from '@mesh/wire/ip'
import type { NodeChange } from './network.ts'
import type { NodeRecord } from './records.ts'
import { normalRoute } from './routes.ts'

/** The most endpoints kept of a node; clients report a handful. */
const MAX_ENDPOINTS = 32
/** The most services and host keys passed on. */
const MAX_SERVICES = 64
const MAX_HOST_KEYS = 16
const MAX_HOST_KEY_LENGTH = 4096
/** The most prefixes kept that a node offers to route. */
const MAX_ROUTES = 256
/** The most relays whose latency is kept. */
const MAX_LATENCIES = 64
/** The longest text passed on of a free field. */
const MAX_TEXT = 255
const PUBLISHED_SERVICES = new Set(['tcp', 'udp', 'peerapi4', 'peerapi6', 'peerapi-dns-proxy'])

/**
 * Returns what a map request changes of its node, or `undefined` when that is nothing. Only an update reports; a stream, or
 * one who wants a snapshot, says nothing new but a first disco key (control §3.2).
 */
export function requestedChange(node: NodeRecord, request: MapRequest): NodeChange | undefined {
  const discoKey = isZeroKey(request.DiscoKey) ? '' : (request.DiscoKey ?? '')
  const change: { -readonly [K in keyof NodeChange]: NodeChange[K] } = {}
  const reports = request.OmitPeers === true && request.Stream !== true
  if (discoKey !== '' && discoKey !== node.discoKey && (reports || node.discoKey === ''))
    change.discoKey = discoKey
  if (request.Version !== node.capVersion) change.capVersion = request.Version
  if (reports) Object.assign(change, reportedChange(node, request))
  return Object.keys(change).length === 0 ? undefined : change
}

/** Returns what a report changes of its node. */
function reportedChange(node: NodeRecord, request: MapRequest): NodeChange {
  const hostinfo = request.Hostinfo && mergeHostinfo(node.hostinfo, checkHostinfo(request.Hostinfo))
  const endpoints = checkEndpoints(request.Endpoints ?? [])
  return {
    ...(hostinfo && JSON.stringify(hostinfo) !== JSON.stringify(node.hostinfo) ? { hostinfo } : {}),
    ...(endpoints.join() === node.endpoints.join() ? {} : { endpoints }),
  }
}

/** Returns the endpoints that are endpoints, in their order, without doubles. */
function checkEndpoints(endpoints: readonly string[]): string[] {
  const kept = new Set<string>()
  for (const text of endpoints) {
    const endpoint = parseEndpoint(text)
    if (endpoint && endpoint.port > 0) kept.add(formatEndpoint(endpoint))
    if (kept.size === MAX_ENDPOINTS) break
  }
  return [...kept]
}

/** Returns what is remembered of a report: the fields somebody reads, each within bounds. */
export function checkHostinfo(hostinfo: Hostinfo): Hostinfo {
  const { IPNVersion, BackendLogID, OS, OSVersion, Hostname, Machine, GoArch, Distro, DistroVersion } =
    hostinfo
  const texts = { IPNVersion, BackendLogID, OS, OSVersion, Hostname, Machine, GoArch, Distro, DistroVersion }
  const lists = {
    RoutableIPs: hostinfo.RoutableIPs && checkRoutes(hostinfo.RoutableIPs),
    RequestTags: hostinfo.RequestTags?.slice(0, MAX_SERVICES).map(cleanText),
    Services: hostinfo.Services?.filter(isPublished).slice(0, MAX_SERVICES).map(cleanService),
    sshHostKeys: hostinfo.sshHostKeys
      ?.slice(0, MAX_HOST_KEYS)
      .filter((key) => key.length <= MAX_HOST_KEY_LENGTH),
  }
  const { ShieldsUp, Userspace, UserspaceRouter, AllowsUpdate, StateEncrypted, NetInfo } = hostinfo
  return dropUndefined({
    ...mapValues(texts, cleanText),
    ...lists,
    ShieldsUp,
    Userspace,
    UserspaceRouter,
    AllowsUpdate,
    StateEncrypted,
    NetInfo: NetInfo && checkNetInfo(NetInfo),
  })
}

/** Keeps the prefixes that are prefixes, in their normal form and order, without doubles. */
function checkRoutes(texts: readonly string[]): string[] {
  const routes = texts.slice(0, MAX_ROUTES).map(normalRoute)
  return [...new Set(routes.filter((route) => route !== undefined))]
}

/** Keeps the yes and no of a report, and of the latencies those of so many relays, not whatever keys there are. */
function checkNetInfo(netInfo: NetInfo): NetInfo {
  const { LinkType, FirewallMode, DERPLatency, ...scalars } = netInfo
  const latencies = Object.entries(DERPLatency ?? {}).filter(([key]) => /^\d{1,9}-v[46]$/.test(key))
  return dropUndefined({
    ...scalars,
    ...mapValues({ LinkType, FirewallMode }, cleanText),
    DERPLatency: DERPLatency && Object.fromEntries(latencies.slice(0, MAX_LATENCIES)),
  })
}

/** Returns a report whose NetInfo is the earlier one when it brings none. */
function mergeHostinfo(before: Hostinfo, report: Hostinfo): Hostinfo {
  const { NetInfo } = before
  return report.NetInfo === undefined && NetInfo !== undefined ? { ...report, NetInfo } : report
}

/** Returns what peers are told of a machine. */
export function publicHostinfo(hostinfo: Hostinfo): Hostinfo {
  const { OS, Hostname, Services, sshHostKeys } = hostinfo
  return dropUndefined({ OS, Hostname, Services, sshHostKeys })
}

/** Returns the home region a report names; 0 for none yet. */
export function homeRegionOf(hostinfo: Hostinfo): number {
  return Math.max(0, hostinfo.NetInfo?.PreferredDERP ?? 0)
}

function isPublished(service: Service): boolean {
  return PUBLISHED_SERVICES.has(service.Proto) && service.Port > 0 && service.Port < 65536
}

function cleanService(service: Service): Service {
  const { Proto, Port, Description } = service
  return Description === undefined ? { Proto, Port } : { Proto, Port, Description: cleanText(Description) }
}

/**
 * Control characters and the marks that turn text around never reach anybody's terminal. What is cut off is copied: a
 * slice would keep the whole of a long text in memory.
 */
function cleanText(text: string): string {
  const clean = text.replace(/[\p{Cc}\p{Bidi_Control}]/gu, '')
  return clean.length > MAX_TEXT ? Array.from(clean.slice(0, MAX_TEXT)).join('') : clean
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Returns the fields that are set. */
export function dropUndefined<T extends object>(fields: T): Given<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<T>
}

function mapValues<K extends string>(
  fields: Readonly<Record<K, string | undefined>>,
  clean: (text: string) => string,
): Record<K, string | undefined> {
  const entries = Object.entries<string | undefined>(fields)
  return Object.fromEntries(
    entries.map(([key, value]) => [key, value === undefined ? undefined : clean(value)]),
  ) as Record<K, string | undefined>
}
