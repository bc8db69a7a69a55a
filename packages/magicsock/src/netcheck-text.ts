// A netcheck for people to read, in the shape that `tailscale netcheck` has made known.
import { type Endpoint, formatEndpoint } from '@mesh/wire/ip'
import type { NetcheckReport } from './netcheck-report.ts'
import type { RelayMap } from './relay-map.ts'

/** Returns the lines of a report, without a line end at the last. Control characters of the map's names are left out. */
export function formatNetcheck(report: NetcheckReport, relays: RelayMap): string {
  return [
    'Report:',
    `\t* UDP: ${report.udp}`,
    `\t* IPv4: ${family(report.ipv4, report.globalV4)}`,
    `\t* IPv6: ${family(report.ipv6, report.globalV6)}`,
    `\t* MappingVariesByDestIP: ${tristate(report.mappingVariesByDestIp)}`,
    ...(report.icmpV4 === undefined ? [] : [`\t* ICMPv4: ${report.icmpV4}`]),
    ...(report.captivePortal === undefined ? [] : [`\t* CaptivePortal: ${report.captivePortal}`]),
    `\t* PortMapping: ${portMapping(report)}`,
    ...nearest(report, relays),
  ].join('\n')
}

function family(works: boolean, [first]: readonly Endpoint[]): string {
  if (!works) return 'no'
  return first === undefined ? 'yes' : `yes, ${formatEndpoint(first)}`
}

/** Empty for what nobody could tell. */
function tristate(value: boolean | undefined): string {
  return value === undefined ? '' : `${value}`
}

function portMapping({ portMap }: NetcheckReport): string {
  if (portMap === undefined) return ''
  const found = [
    portMap.upnp === true && 'UPnP',
    portMap.natPmp === true && 'NAT-PMP',
    portMap.pcp === true && 'PCP',
  ]
  return found.filter((name) => name !== false).join(', ')
}

function nearest(report: NetcheckReport, relays: RelayMap): string[] {
  if (report.regionLatency.size === 0) return ['\t* Nearest DERP: unknown (no response to latency probes)']
  const latencyOf = (id: number): number => report.regionLatency.get(id) ?? Infinity
  const ranked = [...relays.keys()].sort((a, b) => latencyOf(a) - latencyOf(b) || a - b)
  return [
    `\t* Nearest DERP: ${nameOf(report.preferredRelay, relays)}`,
    '\t* DERP latency:',
    ...ranked.map((id) => {
      const latency = report.regionLatency.get(id)
      const figure = latency === undefined ? '' : `${latency.toFixed(1)}ms`
      return `\t\t- ${clean(relays.get(id)?.code ?? '').padStart(3)}: ${figure.padEnd(7)} (${nameOf(id, relays)})`
    }),
  ]
}

function nameOf(id: number, relays: RelayMap): string {
  const region = relays.get(id)
  return clean(region?.name ?? region?.code ?? `${id}`)
}

function clean(name: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is to be left out: names come from the network
  return name.replace(/[\u0000-\u001f\u007f-\u009f]/g, '')
}
