// What `serve` is told, and what that comes to before anything is opened, made or listened on.

import { accessSync, constants } from 'node:fs'
import { isAbsolute } from 'node:path'
import type { RelayEntry } from '@mesh/control-server'
import type { ControlOptions, ServerCertificate } from '@mesh/control-server/node'
import { reasonOf } from '@mesh/sansio/node'
import type { DERPMap } from '@mesh/wire/control'
import { parseAddress } from '@mesh/wire/ip'
import { type CertificateFlags, readCertificate } from './certificate.ts'
import { CommandError } from './command-error.ts'
import type { dnsRecord, ListenAddress, splitDomain } from './flag-values.ts'
import { checkMetricsAddress } from './metrics.ts'
import { readRelays } from './relays.ts'

/** What `serve` is told. */
export interface ServeFlags extends CertificateFlags {
  readonly listen: ListenAddress
  readonly baseDomain: string
  readonly relay: readonly RelayEntry[]
  readonly derpMap?: string
  readonly serverUrl?: string
  readonly nameserver: readonly string[]
  readonly overrideLocalDns: boolean
  readonly splitDns: readonly ReturnType<typeof splitDomain>[]
  readonly searchDomain: readonly string[]
  readonly dnsRecord: readonly ReturnType<typeof dnsRecord>[]
  readonly dnsListen?: ListenAddress
  readonly dnsHook?: string
  readonly embeddedRelay?: boolean
  readonly stun?: ListenAddress | 'off'
  readonly trustedProxy: readonly string[]
  readonly metricsListen: ListenAddress | 'off'
  readonly ipv4Range: string
  readonly addressOrder: 'sequential' | 'random'
  readonly nodeApproval?: boolean
  readonly nodeExpiry: number
  readonly auditRetention: number
  readonly ephemeralTimeout: number
  readonly clientVersion?: string
  readonly dialAddress: readonly string[]
  readonly database?: string
  readonly privateKey?: string
  readonly verbose?: boolean
}

/** What the network is like, as far as the flags say. */
export type NetworkFlags = Pick<
  ControlOptions,
  | 'baseDomain'
  | 'nameservers'
  | 'overrideLocalDns'
  | 'splitDns'
  | 'searchDomains'
  | 'extraRecords'
  | 'ipv4Range'
  | 'addressOrder'
  | 'nodeApproval'
  | 'nodeKeyLifetime'
  | 'ephemeralTimeout'
  | 'auditRetention'
  | 'certificates'
  | 'clientRelease'
  | 'dialAddresses'
>

/** What the flags, and the files they name, come to. */
export interface Prepared {
  readonly relays: DERPMap
  readonly tls: ServerCertificate | undefined
  readonly network: NetworkFlags
}

/** Reads what the flags name and looks whether they go together. Throws {@link CommandError}; changes nothing. */
export function prepare(flags: ServeFlags): Prepared {
  const { host, port } = flags.listen
  const isNamed = flags.serverUrl !== undefined || flags.acmeHostname !== undefined
  const relays = readRelays(flags)
  const tls = readCertificate(flags)
  if (!isNamed && (host === '0.0.0.0' || host === '::'))
    throw new CommandError(
      'With --listen on every address, say by --server-url how clients reach the server.',
    )
  if (flags.embeddedRelay && flags.serverUrl === undefined && port === 0)
    throw new CommandError('With --embedded-relay, say the port by --listen or --server-url.')
  if (flags.dnsHook !== undefined) checkHook(flags.dnsHook)
  if (flags.metricsListen !== 'off') checkMetricsAddress(flags.metricsListen)
  return { relays, tls, network: networkOf(flags) }
}

/** A name without a path would be looked for in the environment's folders, which is nobody's intent here. */
function checkHook(program: string): void {
  if (!isAbsolute(program)) throw new CommandError(`Write the whole path of --dns-hook, not ${program}.`)
  try {
    accessSync(program, constants.X_OK)
  } catch (cause) {
    throw new CommandError(`The program of --dns-hook cannot be run: ${reasonOf(cause)}.`, { cause })
  }
}

/** Returns the address that clients know the server by. */
export function serverUrlOf(flags: ServeFlags): string {
  const { serverUrl, listen, tlsCert, acmeHostname } = flags
  if (serverUrl !== undefined) return serverUrl
  const host = acmeHostname ?? (listen.host.includes(':') ? `[${listen.host}]` : listen.host)
  if (acmeHostname !== undefined && listen.port === 443) return `https://${host}`
  const scheme = tlsCert === undefined && acmeHostname === undefined ? 'http' : 'https'
  return `${scheme}://${host}:${listen.port}`
}

function networkOf(flags: ServeFlags): NetworkFlags {
  const domains = [...Map.groupBy(flags.splitDns, ({ domain }) => domain)]
  const splitDns = Object.fromEntries(
    domains.map(([domain, all]) => [domain, all.map((each) => each.resolver)]),
  )
  return {
    splitDns,
    baseDomain: flags.baseDomain,
    nameservers: flags.nameserver,
    overrideLocalDns: flags.overrideLocalDns,
    searchDomains: flags.searchDomain,
    extraRecords: flags.dnsRecord.map(({ name, address }) => ({
      Name: name,
      Type: parseAddress(address)?.length === 4 ? 'A' : 'AAAA',
      Value: address,
    })),
    ipv4Range: flags.ipv4Range,
    addressOrder: flags.addressOrder,
    nodeApproval: flags.nodeApproval ?? false,
    nodeKeyLifetime: flags.nodeExpiry,
    ephemeralTimeout: flags.ephemeralTimeout,
    auditRetention: flags.auditRetention,
    certificates: flags.dnsListen !== undefined || flags.dnsHook !== undefined,
    dialAddresses: flags.dialAddress,
    ...(flags.clientVersion === undefined ? {} : { clientRelease: { version: flags.clientVersion } }),
  }
}
