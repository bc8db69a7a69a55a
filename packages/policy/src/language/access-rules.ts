// The rules for packets and capabilities: `acls` and `grants` become rules of one kind (control §7.3, §7.4).
import type { PortRange } from '@mesh/wire/control'
import type { AclText, GrantText, PolicyText } from './document.ts'
import { meaningless } from './meaning.ts'
import type { Names } from './names.ts'
import type { Required } from './postures.ts'
import { ALL_PORTS, parsePorts, parseProtocol, portTrouble } from './ports.ts'
import { parseSelector, type Selector } from './selector.ts'

/** Capabilities and their values; no value at all is `null`. */
export type Capabilities = Readonly<Record<string, readonly unknown[] | null>>

/** A destination of a rule. */
export interface Destination {
  readonly selector: Selector
  /** In the order in which they are written; empty where capabilities are granted. */
  readonly ports: readonly PortRange[]
}

/** Sources may reach destinations, or have capabilities there. */
export interface AccessRule {
  readonly sources: readonly Selector[]
  readonly destinations: readonly Destination[]
  /** The protocol; `undefined` for TCP, UDP and ICMP. */
  readonly protocol: number | undefined
  /** The routers that may forward it, by their tags; empty for any. */
  readonly via: readonly string[]
  /** What a source must be like, too. */
  readonly required: Required
  /** What is granted in place of packets. */
  readonly capabilities?: Capabilities
  /** Where it is written, for people: `acls[0]`. */
  readonly name: string
}

/** Where capabilities of the original may not be granted but for these (control §7.4). */
const RESERVED_DOMAIN = 'tailscale.com'
const GRANTABLE: ReadonlySet<string> = new Set(
  ['drive', 'relay', 'webui', 'kubernetes', 'tsidp', 'secrets', 'golink', 'ingress', 'app-connectors'].map(
    (name) => `${RESERVED_DOMAIN}/cap/${name}`,
  ),
)

/**
 * Returns all rules of a policy, `grants` first; `undefined` when it has neither kind, which allows everything.
 *
 * @throws PolicyError `ERR_POLICY_MEANING`.
 */
export function accessRules(
  { acls, grants }: PolicyText,
  names: Names,
  requires: Requires,
): readonly AccessRule[] | undefined {
  if (acls === undefined && grants === undefined) return undefined
  return [
    ...(grants ?? []).flatMap((grant, index) =>
      grantRules(grant, names, `grants[${index}]`).map((rule) => ({
        ...rule,
        required: requires(grant.srcPosture),
      })),
    ),
    ...(acls ?? []).map((acl, index) => ({
      ...aclRule(acl, names, `acls[${index}]`),
      required: requires(acl.srcPosture),
    })),
  ]
}

/** Returns what the postures that a rule names ask for. */
export type Requires = (words: readonly string[] | undefined) => Required

type Unconditional = Omit<AccessRule, 'required'>

function aclRule(acl: AclText, names: Names, name: string): Unconditional {
  if (acl.action !== 'accept') throw meaningless(`action="${acl.action ?? ''}" is not supported`)
  const protocol = protocolOf(acl.proto)
  const sources = sourcesOf(acl.src, names)
  const destinations = joinPorts((acl.dst ?? []).map((word) => aclDestination(word, names, protocol)))
  checkSelf(sources, destinations, true)
  return { sources, destinations, protocol, via: [], name }
}

function aclDestination(word: string, names: Names, protocol: number | undefined): Destination {
  // An address of IPv6 may stand without brackets: the last colon is the one before the ports.
  const colon = word.lastIndexOf(':')
  const [where, portText] = colon === -1 ? [word, ''] : [word.slice(0, colon), word.slice(colon + 1)]
  const ports = parsePorts(portText.trim())
  if (typeof ports === 'string') throw meaningless(`dst="${word}": ${ports}`)
  const trouble = portTrouble(protocol, ports)
  if (trouble !== undefined) throw meaningless(`dst="${word}": ${trouble}`)
  return { selector: destinationOf(where.replace(/^\[(.*)\]$/, '$1'), names), ports }
}

/** The ports of one destination stand together, wherever in the list they are. */
function joinPorts(destinations: readonly Destination[]): readonly Destination[] {
  const joined = new Map<string, Destination>()
  for (const { selector, ports } of destinations) {
    const key = JSON.stringify(selector)
    joined.set(key, { selector, ports: [...(joined.get(key)?.ports ?? []), ...ports] })
  }
  return [...joined.values()]
}

function grantRules(grant: GrantText, names: Names, name: string): readonly Unconditional[] {
  const capabilities = capabilitiesOf(grant)
  if (!capabilities && (grant.ip ?? []).length === 0) throw meaningless('ip and app can not both be empty')
  const sources = sourcesOf(grant.src, names)
  const selectors = (grant.dst ?? []).map((word) => grantDestination(word, names))
  checkSelf(
    sources,
    selectors.map((selector) => ({ selector })),
    false,
  )
  if (capabilities && selectors.some(isInternet))
    throw meaningless('cannot use app grants with autogroup:internet')
  const via = viaOf(grant, names)
  const packets = Array.from(portsByProtocol(grant.ip ?? []), ([protocol, ports]) => ({
    sources,
    destinations: selectors.map((selector) => ({ selector, ports })),
    protocol,
    via,
    name,
  }))
  if (!capabilities) return packets
  const destinations = selectors.map((selector) => ({ selector, ports: [] }))
  return [...packets, { sources, destinations, protocol: undefined, via, capabilities, name }]
}

function grantDestination(word: string, names: Names): Selector {
  const selector = destinationOf(word, names)
  if (selector.kind === 'addresses' && selector.prefix.bits === 0)
    throw meaningless(`dst "${word}": to allow all IP addresses, use "*" or "autogroup:internet"`)
  return selector
}

function portsByProtocol(entries: readonly string[]): ReadonlyMap<number | undefined, readonly PortRange[]> {
  const ports = new Map<number | undefined, PortRange[]>()
  for (const entry of entries) {
    const colon = entry.indexOf(':')
    const protocol = protocolOf(colon === -1 ? undefined : entry.slice(0, colon).trim())
    const ranges = entry === '*' ? [ALL_PORTS] : parsePorts(entry.slice(colon + 1).trim())
    if (typeof ranges === 'string') throw meaningless(`ip "${entry}": ${ranges}`)
    const trouble = portTrouble(protocol, ranges)
    if (trouble !== undefined) throw meaningless(`ip "${entry}": ${trouble}`)
    ports.set(protocol, [...(ports.get(protocol) ?? []), ...ranges])
  }
  return ports
}

function capabilitiesOf({ app }: GrantText): Capabilities | undefined {
  if (app === undefined || app.size === 0) return undefined
  for (const name of app.keys()) {
    const domain = /^([^/:]+\.[^/:]+)\/[^/].*$/.exec(name)?.[1]
    if (domain === undefined) throw meaningless('capability name must have the form {domain}/{path}')
    const reserved = domain === RESERVED_DOMAIN || domain.endsWith(`.${RESERVED_DOMAIN}`)
    if (reserved && !GRANTABLE.has(name))
      throw meaningless('capability name must not be in the tailscale.com domain')
  }
  return Object.fromEntries(Array.from(app, ([name, values]) => [name, values.length === 0 ? null : values]))
}

function viaOf({ via = [] }: GrantText, names: Names): readonly string[] {
  for (const tag of via) {
    if (!tag.startsWith('tag:')) throw meaningless('via can only be a tag')
    if (!names.hasTag(tag)) throw meaningless(`via=tag not found: "${tag}"`)
  }
  return via
}

function sourcesOf(words: readonly string[] | undefined, names: Names): readonly Selector[] {
  return (words ?? []).map((word) => {
    const selector = parseSelector(word, names)
    if (typeof selector === 'string') throw meaningless(`src=${selector}`)
    if (selector.kind === 'autogroup' && (selector.name === 'self' || selector.name === 'internet'))
      throw meaningless(`"autogroup:${selector.name}" not valid on the src side of a rule`)
    return selector
  })
}

function destinationOf(word: string, names: Names): Selector {
  const selector = parseSelector(word, names)
  if (typeof selector === 'string') throw meaningless(`dst="${word}": ${selector}`)
  if (selector.kind === 'autogroup' && selector.name === 'danger-all')
    throw meaningless('cannot use autogroup:danger-all as a dst')
  return selector
}

/** Whose own devices they are must be known of every source. */
function checkSelf(
  sources: readonly Selector[],
  destinations: readonly Pick<Destination, 'selector'>[],
  mayBeAny: boolean,
): void {
  const isSelf = ({ selector }: Pick<Destination, 'selector'>): boolean =>
    selector.kind === 'autogroup' && selector.name === 'self'
  if (!destinations.some(isSelf)) return
  const isPersonal = (source: Selector): boolean =>
    source.kind === 'users' ||
    source.kind === 'domain' ||
    (source.kind === 'any' && mayBeAny) ||
    (source.kind === 'autogroup' && source.name === 'member')
  if (!sources.every(isPersonal))
    throw meaningless('autogroup:self can only be used with users, groups, or supported autogroups')
}

function isInternet(selector: Selector): boolean {
  return selector.kind === 'autogroup' && selector.name === 'internet'
}

function protocolOf(text: string | undefined): number | undefined {
  const protocol = parseProtocol(text)
  if (typeof protocol === 'string') throw meaningless(protocol)
  return protocol.number
}
