// `mesh netcheck`: what the node found out about the network it sits in.
import type { NetcheckReport } from '@mesh/net'
import type { LocalClient } from '../local-client.ts'

/** Returns the report as text or JSON. */
export async function netcheck(client: LocalClient, flags: { readonly json?: boolean }): Promise<string> {
  const report = await client.netcheck()
  return flags.json ? JSON.stringify(report, undefined, 2) : describe(report)
}

function describe(report: NetcheckReport): string {
  const home = report.Regions.find((region) => region.RegionID === report.PreferredDERP)
  const measured = [...report.Regions].sort(
    (a, b) => (a.LatencySeconds ?? Infinity) - (b.LatencySeconds ?? Infinity),
  )
  return [
    'Report:',
    `\t* UDP: ${report.UDP}`,
    `\t* IPv4: ${report.GlobalV4 ? `yes, ${report.GlobalV4}` : '(no address found)'}`,
    `\t* IPv6: ${report.GlobalV6 ? `yes, ${report.GlobalV6}` : 'no'}`,
    `\t* MappingVariesByDestIP: ${report.MappingVariesByDestIP ?? ''}`,
    `\t* Nearest DERP: ${home?.RegionName ?? 'unknown (no response to latency probes)'}`,
    '\t* DERP latency:',
    ...measured.map((region) => {
      const ms = region.LatencySeconds === undefined ? '' : `${(region.LatencySeconds * 1000).toFixed(1)}ms`
      return `\t\t- ${region.RegionCode}: ${ms.padEnd(8)}(${region.RegionName})`
    }),
  ].join('\n')
}
