// How a coordinator is made, and which ways of making one cannot work.

import type { Policy } from '@mesh/policy'
import type { RandomSource } from '@mesh/sansio'
import type { DERPMap, DNSConfig } from '@mesh/wire/control'
import { parseAddress, parseEndpoint } from '@mesh/wire/ip'
import type { SecretHash } from './key-text.ts'
import { ControlError } from './errors.ts'
import { isDomainName } from './names.ts'
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
  /** Who may reach whom; everybody everybody when left out. */
  readonly policy?: Policy
  /** How long the key of a user's node lasts, milliseconds; for ever when left out. */
  readonly nodeKeyLifetime?: number
  /** How long an ephemeral node may stay away; {@link EPHEMERAL_TIMEOUT} when left out. */
  readonly ephemeralTimeout?: number
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
  const resolvers = nameservers.map((Addr) => ({ Addr }))
  const config = { Domains: [baseDomain], Proxied: true }
  if (resolvers.length === 0) return config
  return { ...config, [overrideLocalDns ? 'Resolvers' : 'FallbackResolvers']: resolvers }
}

/** Throws {@link ControlError} `ERR_CONTROL_CONFIG` for options that cannot work. */
export function checkOptions({ baseDomain, serverUrl, derpMap, nameservers }: CoordinatorOptions): void {
  const host = /^https?:\/\/(\[[0-9a-fA-F:]+\]|[^/:]+)(:\d+)?$/.exec(serverUrl)?.[1]
  if (host === undefined) {
    throw new ControlError('ERR_CONTROL_CONFIG', `The server URL ${serverUrl} is not http(s)://host[:port].`)
  }
  if (!isDomainName(baseDomain)) {
    throw new ControlError('ERR_CONTROL_CONFIG', `${JSON.stringify(baseDomain)} cannot be the base domain.`)
  }
  if (host === baseDomain || host.endsWith(`.${baseDomain}`)) {
    const message = `The base domain ${baseDomain} covers the server's own name ${host}, which clients could then not resolve.`
    throw new ControlError('ERR_CONTROL_CONFIG', message)
  }
  for (const address of nameservers ?? []) {
    if (parseAddress(address) || parseEndpoint(address) || /^https:\/\/[^/\s]+\/\S*$/.test(address)) continue
    const message = `The resolver ${JSON.stringify(address)} is no address and no https address with a path.`
    throw new ControlError('ERR_CONTROL_CONFIG', message)
  }
  for (const [key, region] of Object.entries(derpMap.Regions ?? {})) {
    if (region.RegionID === Number(key) && region.Nodes.every((node) => node.RegionID === region.RegionID))
      continue
    throw new ControlError(
      'ERR_CONTROL_CONFIG',
      `Region ${key} of the relay map does not carry its own number.`,
    )
  }
}
