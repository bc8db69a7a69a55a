// Who the default gateway is, as Linux tells it. Node has no call for it.
import { readFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { type IpAddress, parseAddress, parsePrefix, prefixContains } from '@mesh/wire/ip'
import type { Gateway } from '../portmap/mapping.ts'

/** Flag of a route that goes by a gateway. */
const RTF_GATEWAY = 0x2

interface Route {
  readonly interfaceName: string
  readonly address: IpAddress
  readonly metric: number
}

/**
 * Returns the next hop of the IPv4 default route and our own address beside it; `undefined` where there is none, or
 * where the system is not asked yet (other than Linux).
 */
export async function defaultGateway(): Promise<Gateway | undefined> {
  const table = await readFile('/proc/net/route', 'ascii').catch(() => '')
  return gatewayOf(table, networkInterfaces())
}

/** Reads the kernel's table of routes; addresses in it are hexadecimal, their last byte first. */
export function gatewayOf(
  table: string,
  interfaces: ReturnType<typeof networkInterfaces>,
): Gateway | undefined {
  const routes = table.split('\n').slice(1).flatMap(defaultRoute)
  const [route] = routes.sort((a, b) => a.metric - b.metric)
  if (route === undefined) return undefined
  for (const { address, family, cidr } of interfaces[route.interfaceName] ?? []) {
    const network = family === 'IPv4' && cidr !== null ? parsePrefix(cidr) : undefined
    const self = parseAddress(address)
    if (network === undefined || self === undefined) continue
    if (prefixContains(network, route.address)) return { address: route.address, self }
  }
  return undefined
}

function defaultRoute(line: string): Route[] {
  const [interfaceName = '', destination, gateway = '', flags = '', , , metric = '', mask] = line.split('\t')
  if (destination !== '00000000' || mask !== '00000000') return []
  if ((Number.parseInt(flags, 16) & RTF_GATEWAY) === 0 || !/^[0-9A-F]{8}$/i.test(gateway)) return []
  const address = Uint8Array.from([6, 4, 2, 0], (at) => Number.parseInt(gateway.slice(at, at + 2), 16))
  return [{ interfaceName, address, metric: Number(metric) }]
}
