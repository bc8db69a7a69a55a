// How a coordinator is made, and which ways of making one cannot work.

import type { Policy } from '@mesh/policy'
import type { RandomSource } from '@mesh/sansio'
import type { DERPMap, DNSConfig, DNSRecord } from '@mesh/wire/control'
import { parseAddress, parseEndpoint } from '@mesh/wire/ip'
import { parseRange, WHOLE_RANGE } from './addresses.ts'
import type { AddressRange } from './addresses.ts'
import type { SecretHash } from './key-text.ts'
import type { ClientRelease } from './client-notices.ts'
import { checkNotices } from './client-notices.ts'
import { ControlError, quoted } from './errors.ts'
import { isDomainName } from './names.ts'
import type { AddressPlan } from './network.ts'
import type { News } from './store.ts'

/** How long an ephemeral node may stay away before it is removed. */
export const EPHEMERAL_TIMEOUT = 30 * 60_000

/** How long the audit log keeps what was done, when nothing else is said. */
export const AUDIT_RETENTION = 90 * 24 * 3_600_000

/** How a coordinator is made. */
export interface CoordinatorOptions {
  /** Everything that is remembered. */
  readonly records: News
  /** The name of this server among those that serve the network. */
  readonly server: string
  /** The servers that are alive; this one alone when left out. */
  readonly servers?: readonly string[]
  /** The address clients know the server by, without a trailing slash: pages of logins lie under it. */
  readonly serverUrl: string
  /** The relays every node is told of. Clients need at least one to get going (control §5.3). */
  readonly derpMap: DERPMap
  /** The suffix of every node's name. */
  readonly baseDomain: string
  /** Resolvers for names outside the network; the machine's own when left out. */
  readonly nameservers?: readonly string[]
  /**
   * Whether nodes use {@link CoordinatorOptions.nameservers} in place of their own resolvers; true when left out. Else
   * clients turn to them only where they cannot tell their own.
   */
  readonly overrideLocalDns?: boolean
  /** Resolvers for the names under some domains. */
  readonly splitDns?: Readonly<Record<string, readonly string[]>>
  /** Domains that nodes try behind short names, after {@link CoordinatorOptions.baseDomain}. */
  readonly searchDomains?: readonly string[]
  /** Names that every node resolves by itself: type `A` or `AAAA`, and the address. */
  readonly extraRecords?: readonly DNSRecord[]
  /** Who may reach whom; everybody everybody when left out. */
  readonly policy?: Policy
  /** How long the key of a user's node lasts, milliseconds; for ever when left out. */
  readonly nodeKeyLifetime?: number
  /** How long an ephemeral node may stay away; {@link EPHEMERAL_TIMEOUT} when left out. */
  readonly ephemeralTimeout?: number
  /** The newest version of Tailscale's clients: those before it are told so. Nobody is told anything when left out. */
  readonly clientRelease?: ClientRelease
  /** Addresses by which clients reach this server when its name does not resolve, the best first. */
  readonly dialAddresses?: readonly string[]
  /** Whether a node that comes by an auth key takes part only when somebody approved it, or its key did; false when left out. */
  readonly nodeApproval?: boolean
  /** Where the addresses of new nodes come from: a prefix within 100.64.0.0/10, which is the whole when left out. */
  readonly ipv4Range?: string
  /** Whether new addresses go up one after the other, or are drawn; the former when left out. */
  readonly addressOrder?: 'sequential' | 'random'
  /** Whether nodes may have certificates for their names; no when left out. */
  readonly certificates?: boolean
  /** How long the audit log keeps what was done, milliseconds; {@link AUDIT_RETENTION} when left out. */
  readonly auditRetention?: number
  /** Returns the wall clock's Unix milliseconds. */
  readonly wallClock: () => number
  /** Strong random bytes. */
  readonly random: RandomSource
  /** Hashes the secrets of pre-auth keys: SHA-256 or another of its kind, always the same one. */
  readonly hash: SecretHash
  /** The monotonic time of now, milliseconds. */
  readonly now: number
}

/** Returns how nodes resolve names. */
export function dnsConfigOf(options: CoordinatorOptions): DNSConfig {
  const { baseDomain, nameservers = [], overrideLocalDns = true } = options
  const { splitDns = {}, searchDomains = [], extraRecords = [] } = options
  const resolvers = nameservers.map((Addr) => ({ Addr }))
  const routes = Object.entries(splitDns).map(([domain, list]) => [domain, list.map((Addr) => ({ Addr }))])
  return {
    Domains: [baseDomain, ...searchDomains],
    Proxied: true,
    ...(resolvers.length === 0 ? {} : { [overrideLocalDns ? 'Resolvers' : 'FallbackResolvers']: resolvers }),
    ...(routes.length === 0 ? {} : { Routes: Object.fromEntries(routes) as DNSConfig['Routes'] & object }),
    ...(extraRecords.length === 0 ? {} : { ExtraRecords: extraRecords }),
  }
}

/** What {@link checkOptions} looks at. */
export type CheckedOptions = Pick<
  CoordinatorOptions,
  | 'baseDomain'
  | 'serverUrl'
  | 'derpMap'
  | 'nameservers'
  | 'splitDns'
  | 'searchDomains'
  | 'extraRecords'
  | 'clientRelease'
  | 'dialAddresses'
  | 'ipv4Range'
>

/** Throws {@link ControlError} `ERR_CONTROL_CONFIG` for options that cannot work. */
export function checkOptions(options: CheckedOptions): void {
  checkNames(options)
  checkDns(options)
  checkRegions(options)
  checkNotices(options.clientRelease, options.dialAddresses)
  rangeOf(options)
}

/** Returns how new nodes get their addresses. */
export function addressPlanOf(options: CoordinatorOptions): AddressPlan {
  const { addressOrder = 'sequential', random } = options
  const range = rangeOf(options)
  if (addressOrder === 'sequential') return { range }
  return { range, draw: () => new DataView(random(4).slice().buffer).getUint32(0) }
}

/**
 * Returns the names of the base domain that are no node's to take: where records of the administrator's stand, a machine
 * could take their traffic, and a certificate, by calling itself so.
 */
export function keptNamesOf({ baseDomain, extraRecords = [] }: CoordinatorOptions): ReadonlySet<string> {
  const ours = extraRecords.filter(({ Name }) => Name.endsWith(`.${baseDomain}`))
  return new Set(ours.map(({ Name }) => Name.slice(0, -baseDomain.length - 1)))
}

function rangeOf({ ipv4Range }: Pick<CoordinatorOptions, 'ipv4Range'>): AddressRange {
  const range = ipv4Range === undefined ? WHOLE_RANGE : parseRange(ipv4Range)
  if (range) return range
  throw wrong(`${JSON.stringify(ipv4Range)} is no range within 100.64.0.0/10.`)
}

function checkNames({ baseDomain, serverUrl }: CheckedOptions): void {
  const host = /^https?:\/\/(\[[0-9a-fA-F:]+\]|[^/:]+)(:\d+)?$/.exec(serverUrl)?.[1]
  if (host === undefined) throw wrong(`The server URL ${serverUrl} is not http(s)://host[:port].`)
  if (!isDomainName(baseDomain)) throw wrong(`${JSON.stringify(baseDomain)} cannot be the base domain.`)
  if (host === baseDomain || host.endsWith(`.${baseDomain}`))
    throw wrong(
      `The base domain ${baseDomain} covers the server's own name ${host}, which clients could then not resolve.`,
    )
}

function checkDns({
  nameservers = [],
  splitDns = {},
  searchDomains = [],
  extraRecords = [],
}: CheckedOptions): void {
  for (const address of [...nameservers, ...Object.values(splitDns).flat()]) {
    if (parseAddress(address) || parseEndpoint(address) || /^https:\/\/[^/\s]+\/\S*$/.test(address)) continue
    throw wrong(`The resolver ${JSON.stringify(address)} is no address and no https address with a path.`)
  }
  for (const name of [...Object.keys(splitDns), ...searchDomains, ...extraRecords.map(({ Name }) => Name)])
    if (!isDomainName(name)) throw wrong(`${quoted(name)} is no name in the DNS.`)
  for (const { Name, Type, Value } of extraRecords) {
    if (parseAddress(Value)?.length === (Type === 'AAAA' ? 16 : 4)) continue
    throw wrong(`The record of ${Name} has the address ${JSON.stringify(Value)}, which is none of its type.`)
  }
}

function checkRegions({ derpMap }: CheckedOptions): void {
  for (const [key, region] of Object.entries(derpMap.Regions ?? {})) {
    if (region.RegionID === Number(key) && region.Nodes.every((node) => node.RegionID === region.RegionID))
      continue
    throw wrong(`Region ${key} of the relay map does not carry its own number.`)
  }
}

function wrong(message: string): ControlError {
  return new ControlError('ERR_CONTROL_CONFIG', message)
}
