// A netcheck for people to read, in the shape that `tailscale netcheck` has made known.
import { type Endpoint, formatEndpoint } from '@mesh/wire/ip'
import type { NetcheckReport } from './netcheck-report.ts'
import type { PortMapServices } from './portmap/mapping.ts'
import type { RelayMap } from './relay-map.ts'

/**
 * Returns the lines of a report, without a line end at the last. Control characters of the map's names are left out.
 *
 * @param at - When the report was made; shown in the time of this machine.
 */
export function formatNetcheck(report: NetcheckReport, relays: RelayMap, at: Date): string {
  return [
    '',
    'Report:',
    `\t* Time: ${localTime(at)}`,
    `\t* UDP: ${report.udp}`,
    `\t* IPv4: ${global(report.globalV4) ?? NO_ADDRESS}`,
    `\t* IPv6: ${global(report.globalV6) ?? withoutV6(report)}`,
    `\t* MappingVariesByDestIP: ${tristate(report.mappingVariesByDestIp)}`,
    `\t* PortMapping: ${portMapping(report)}`,
    ...(report.captivePortal === undefined ? [] : [`\t* CaptivePortal: ${report.captivePortal}`]),
    ...nearest(report, relays),
  ].join('\n')
}

const NO_ADDRESS = '(no addr found)'

function global([first]: readonly Endpoint[]): string | undefined {
  return first && `yes, ${formatEndpoint(first)}`
}

function withoutV6({ ipv6, osHasIpv6 }: NetcheckReport): string {
  if (ipv6) return NO_ADDRESS
  return osHasIpv6 === true ? 'no, but OS has support' : 'no, unavailable in OS'
}

/** Empty for what nobody could tell. */
function tristate(value: boolean | undefined): string {
  return value === undefined ? '' : `${value}`
}

function portMapping({ portMap }: NetcheckReport): string {
  const { upnp, natPmp, pcp }: Partial<PortMapServices> = portMap ?? {}
  if (upnp === undefined && natPmp === undefined && pcp === undefined) return 'not checked'
  const found = [upnp === true && 'UPnP', natPmp === true && 'NAT-PMP', pcp === true && 'PCP']
  return found.filter((name) => name !== false).join(', ')
}

/** As `2026-11-27 15:04:05.123+01:00`, `Z` for UTC. */
function localTime(at: Date): string {
  const east = -at.getTimezoneOffset()
  const shifted = new Date(at.getTime() + east * 60_000).toISOString().replace('T', ' ')
  const [whole = '', fraction = ''] = shifted.slice(0, -1).split('.')
  const digits = fraction.replace(/0+$/, '')
  return `${whole}${digits === '' ? '' : `.${digits}`}${zone(east)}`
}

function zone(east: number): string {
  if (east === 0) return 'Z'
  const minutes = Math.abs(east)
  const two = (number: number): string => `${number}`.padStart(2, '0')
  return `${east < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

/** Rounded to tenths of a millisecond, in the unit that Go would choose. */
function duration(milliseconds: number): string {
  const tenths = Math.round(milliseconds * 10)
  if (tenths === 0) return '0s'
  if (tenths < 10) return `${tenths * 100}µs`
  return tenths < 10_000 ? `${tenths / 10}ms` : `${tenths / 10_000}s`
}

function nearest(report: NetcheckReport, relays: RelayMap): string[] {
  if (report.regionLatency.size === 0) return ['\t* Nearest DERP: unknown (no response to latency probes)']
  const latencyOf = (id: number): number => report.regionLatency.get(id) ?? Infinity
  const ranked = [...relays.keys()].sort((a, b) => latencyOf(a) - latencyOf(b) || a - b)
  return [
    `\t* Nearest DERP: ${home(report.preferredRelay, relays)}`,
    '\t* DERP latency:',
    ...ranked.map((id) => {
      const latency = report.regionLatency.get(id)
      const figure = latency === undefined ? '' : duration(latency)
      return `\t\t- ${clean(relays.get(id)?.code ?? '').padStart(3)}: ${figure.padEnd(7)} (${nameOf(id, relays)})`
    }),
  ]
}

function home(id: number, relays: RelayMap): string {
  if (id === 0) return '[none]'
  return relays.has(id) ? nameOf(id, relays) : `${id} (region not found in map)`
}

function nameOf(id: number, relays: RelayMap): string {
  const region = relays.get(id)
  return clean(region?.name ?? region?.code ?? `${id}`)
}

function clean(name: string): string {
  // oxlint-disable-next-line no-control-regex -- they are what is to be left out: names come from the network
  return name.replace(/[\u0000-\u001f\u007f-\u009f]/g, '')
}
