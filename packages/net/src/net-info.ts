// A netcheck in the words of the control protocol, and in those of people.
import type { NetcheckReport as MagicSockReport } from '@mesh/magicsock'
import type { DERPMap, NetInfo } from '@mesh/wire/control'
import { formatEndpoint } from '@mesh/wire/ip'
import type { NetcheckReport } from './status.ts'

/** Returns what control is to know; `homeRelay` is the region others reach this node by. */
export function netInfo(report: MagicSockReport | undefined, homeRelay: number): NetInfo {
  if (!report) return { PreferredDERP: homeRelay }
  const { mappingVariesByDestIp } = report
  return {
    ...(mappingVariesByDestIp === undefined ? {} : { MappingVariesByDestIP: mappingVariesByDestIp }),
    WorkingIPv6: report.ipv6,
    WorkingUDP: report.udp,
    PreferredDERP: homeRelay,
    DERPLatency: Object.fromEntries([
      ...latencies(report.regionV4Latency, 'v4'),
      ...latencies(report.regionV6Latency, 'v6'),
    ]),
  }
}

/** Returns what people are to read. */
export function describeNetcheck(
  report: MagicSockReport | undefined,
  homeRelay: number,
  derpMap: DERPMap | undefined,
): NetcheckReport {
  const varies = report?.mappingVariesByDestIp
  const [v4] = report?.globalV4 ?? []
  const [v6] = report?.globalV6 ?? []
  return {
    UDP: report?.udp ?? false,
    GlobalV4: v4 ? formatEndpoint(v4) : '',
    GlobalV6: v6 ? formatEndpoint(v6) : '',
    ...(varies === undefined ? {} : { MappingVariesByDestIP: varies }),
    PreferredDERP: homeRelay,
    Regions: Object.values(derpMap?.Regions ?? {}).map((region) => {
      const latency = report?.regionLatency.get(region.RegionID)
      return {
        RegionID: region.RegionID,
        RegionCode: region.RegionCode,
        RegionName: region.RegionName,
        ...(latency === undefined ? {} : { LatencySeconds: latency / 1000 }),
      }
    }),
  }
}

function latencies(byRegion: ReadonlyMap<number, number>, family: string): [string, number][] {
  return [...byRegion].map(([region, latency]) => [`${region}-${family}`, latency / 1000])
}
