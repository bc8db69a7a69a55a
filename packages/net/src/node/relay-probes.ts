// What is asked of relays without UDP: how far one is over HTTPS, and whether a captive portal stands in between. The map
// says where they are; of those whose certificate only a relay connection can judge nothing is asked.
import {
  detectCaptivePortal,
  measureRelayByHttps,
  type PortalProbe,
  type RelayTarget,
} from '@mesh/magicsock/node'
import type { DERPMap, DERPNode, DERPRegion } from '@mesh/wire/control'
import { type IpAddress, parseAddress } from '@mesh/wire/ip'

/** The port of a relay without TLS whose map entry names none (data-plane.md section 2.13). */
const PLAIN_PORT = 3340

/** Measures how long the first relay of a region that can be asked takes to answer, in milliseconds; `undefined` for never. */
export async function measureRegion(
  region: DERPRegion | undefined,
  plain: boolean,
): Promise<number | undefined> {
  const node = region?.Nodes?.find((one) => !one.STUNOnly && (plain || isTrusted(one)))
  return node && measureRelayByHttps(targetOf(node, plain))
}

/** Looks for a captive portal; `undefined` when no relay can tell. */
export function checkCaptivePortal(derpMap: DERPMap | undefined): Promise<boolean | undefined> {
  return detectCaptivePortal(portalProbes(derpMap))
}

/** Returns the relays that answer on port 80 and whose address the map names. */
export function portalProbes(derpMap: DERPMap | undefined): readonly PortalProbe[] {
  return Object.values(derpMap?.Regions ?? {})
    .flatMap((region) => region.Nodes ?? [])
    .flatMap((node) => {
      const address = node.CanPort80 && !node.STUNOnly ? addressOf(node) : undefined
      return address ? [{ address, hostName: node.HostName }] : []
    })
}

function targetOf(node: DERPNode, plain: boolean): RelayTarget {
  const address = [node.IPv4, node.IPv6].find((text) => text && parseAddress(text))
  const port = node.DERPPort || (plain ? PLAIN_PORT : undefined)
  return {
    hostName: node.HostName,
    ...(address ? { address } : {}),
    ...(port ? { port } : {}),
    ...(plain ? { plain } : {}),
  }
}

function isTrusted(node: DERPNode): boolean {
  return !node.CertName && !node.InsecureForTests
}

function addressOf(node: DERPNode): IpAddress | undefined {
  return parseAddress(node.IPv4 ?? '')
}
