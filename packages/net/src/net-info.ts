// A netcheck in the words of the control protocol, and in those of people.
import { formatNetcheck, type NetcheckReport as MagicSockReport, relayMapOf } from '@mesh/magicsock'
import type { DERPMap, NetInfo } from '@mesh/wire/control'
import { type Endpoint, formatEndpoint } from '@mesh/wire/ip'
import type { NetcheckReport } from './status.ts'

/** Returns what control is to know; `homeRelay` is the region others reach this node by. */
export function netInfo(report: MagicSockReport | undefined, homeRelay: number): NetInfo {
  if (!report) return { PreferredDERP: homeRelay }
  const { mappingVariesByDestIp } = report
  return {
    ...(mappingVariesByDestIp === undefined ? {} : { MappingVariesByDestIP: mappingVariesByDestIp }),
    WorkingIPv6: report.ipv6,
    WorkingUDP: report.udp,
    ...known('WorkingICMPv4', report.icmpV4),
    ...known('UPnP', report.portMap?.upnp),
    ...known('PMP', report.portMap?.natPmp),
    ...known('PCP', report.portMap?.pcp),
    PreferredDERP: homeRelay,
    DERPLatency: Object.fromEntries([
      ...latencies(report.regionV4Latency, 'v4'),
      ...latencies(report.regionV6Latency, 'v6'),
    ]),
  }
}

/** What there is to say of the network. */
export interface NetcheckSources {
  readonly report?: MagicSockReport | undefined
  readonly homeRelay?: number
  readonly portMapping?: Endpoint | undefined
  readonly derpMap: DERPMap | undefined
  /** When the report was made. Default: now. */
  readonly at?: Date
}

/** Returns what people are to read. */
export function describeNetcheck({
  report,
  homeRelay = 0,
  portMapping,
  derpMap,
  at = new Date(),
}: NetcheckSources): NetcheckReport {
  const [v4] = report?.globalV4 ?? []
  const [v6] = report?.globalV6 ?? []
  return {
    Now: at.toISOString(),
    UDP: report?.udp ?? false,
    IPv4: report?.ipv4 ?? false,
    IPv6: report?.ipv6 ?? false,
    OSHasIPv6: report?.osHasIpv6 ?? false,
    GlobalV4: v4 ? formatEndpoint(v4) : '',
    GlobalV6: v6 ? formatEndpoint(v6) : '',
    ...known('MappingVariesByDestIP', report?.mappingVariesByDestIp),
    ...known('ICMPv4', report?.icmpV4),
    ...known('CaptivePortal', report?.captivePortal),
    ...known('UPnP', report?.portMap?.upnp),
    ...known('PMP', report?.portMap?.natPmp),
    ...known('PCP', report?.portMap?.pcp),
    ...(portMapping ? { PortMapping: formatEndpoint(portMapping) } : {}),
    PreferredDERP: homeRelay,
    RegionLatency: nanoseconds(report?.regionLatency),
    RegionV4Latency: nanoseconds(report?.regionV4Latency),
    RegionV6Latency: nanoseconds(report?.regionV6Latency),
    Regions: Object.values(derpMap?.Regions ?? {}).map((region) => {
      const latency = report?.regionLatency.get(region.RegionID)
      return {
        RegionID: region.RegionID,
        RegionCode: region.RegionCode,
        RegionName: region.RegionName,
        ...(latency === undefined ? {} : { LatencySeconds: latency / 1000 }),
      }
    }),
    Text: formatNetcheck(report ?? NO_REPORT, relayMapOf(derpMap ?? {}), at),
  }
}

/** What is known before anybody has answered. */
const NO_REPORT: MagicSockReport = {
  udp: false,
  ipv4: false,
  ipv6: false,
  mappingVariesByDestIp: undefined,
  regionLatency: new Map(),
  regionV4Latency: new Map(),
  regionV6Latency: new Map(),
  globalV4: [],
  globalV6: [],
  preferredRelay: 0,
}

/** A field that is left out while nobody knows. */
function known<Name extends string>(name: Name, value: boolean | undefined): { [name in Name]?: boolean } {
  return value === undefined ? {} : ({ [name]: value } as { [name in Name]: boolean })
}

function nanoseconds(byRegion: ReadonlyMap<number, number> = new Map()): Record<string, number> {
  return Object.fromEntries([...byRegion].map(([region, latency]) => [region, Math.round(latency * 1e6)]))
}

function latencies(byRegion: ReadonlyMap<number, number>, family: string): [string, number][] {
  return [...byRegion].map(([region, latency]) => [`${region}-${family}`, latency / 1000])
}
