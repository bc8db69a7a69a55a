// How names are to be resolved (control protocol §4.7).

import {
  bool,
  dictionary,
  filled,
  type JsonDecoder,
  list,
  nullable,
  object,
  optional,
  text,
} from './schema.ts'

/** A resolver to ask. */
export interface Resolver {
  /** An address, an address and port, or a DNS-over-HTTPS URL. */
  readonly Addr: string
  /** Addresses to reach a URL's host by. */
  readonly BootstrapResolution?: readonly string[]
  /** Whether it stays in use with an exit node. */
  readonly UseWithExitNode?: boolean
}

/** A record control adds. */
export interface DNSRecord {
  /** The name. */
  readonly Name: string
  /** Empty, `A` or `AAAA`. */
  readonly Type?: string
  /** The address. */
  readonly Value: string
}

/** The DNS settings of the whole network, for one node. */
export interface DNSConfig {
  /** The resolvers for everything, in place of the machine's own. */
  readonly Resolvers?: readonly Resolver[]
  /** Resolvers by suffix; `null` or none means that the node answers for it alone. */
  readonly Routes?: Readonly<Record<string, readonly Resolver[] | null>>
  /** Resolvers for where the platform must have some. */
  readonly FallbackResolvers?: readonly Resolver[]
  /** Search domains, in order. */
  readonly Domains?: readonly string[]
  /** Whether names of the network are routed to the node's own resolver (MagicDNS). */
  readonly Proxied?: boolean
  /** The old form of `Resolvers`. */
  readonly Nameservers?: readonly string[]
  /** Names the node may get certificates for. */
  readonly CertDomains?: readonly string[]
  /** Records to add. */
  readonly ExtraRecords?: readonly DNSRecord[]
  /** Suffixes an exit node does not resolve for others. */
  readonly ExitNodeFilteredSet?: readonly string[]
}

/** Reads a resolver. */
export const decodeResolver: JsonDecoder<Resolver> = object<Resolver>({
  Addr: filled(text, ''),
  BootstrapResolution: optional(list(text)),
  UseWithExitNode: optional(bool),
})

const decodeRecord: JsonDecoder<DNSRecord> = object<DNSRecord>({
  Name: filled(text, ''),
  Type: optional(text),
  Value: filled(text, ''),
})

/** Reads DNS settings. */
export const decodeDNSConfig: JsonDecoder<DNSConfig> = object<DNSConfig>({
  Resolvers: optional(list(decodeResolver)),
  Routes: optional(dictionary(nullable(list(decodeResolver)))),
  FallbackResolvers: optional(list(decodeResolver)),
  Domains: optional(list(text)),
  Proxied: optional(bool),
  Nameservers: optional(list(text)),
  CertDomains: optional(list(text)),
  ExtraRecords: optional(list(decodeRecord)),
  ExitNodeFilteredSet: optional(list(text)),
})
