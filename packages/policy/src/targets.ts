// The right side of a rule: what of it lies at one node, or behind it (control §7.5).
import type { NetPortRange } from '@mesh/wire/control'
import { formatPrefix, type Prefix } from '@mesh/wire/ip'
import type { Destination } from './language/access-rules.ts'
import { addressText } from './language/selector.ts'
import { type Member, type Network, overlap } from './network.ts'

/** The internet as rules name it: what is nobody's own, of IPv4 and of IPv6. */
const INTERNET = [
  '0.0.0.0-9.255.255.255',
  '11.0.0.0-100.63.255.255',
  '100.128.0.0-169.253.255.255',
  '169.255.0.0-172.15.255.255',
  '172.32.0.0-192.167.255.255',
  '192.169.0.0-255.255.255.255',
  '2000::-3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
] as const

/** A destination of a rule. */
export interface Target {
  /** Whether it is each source's owner's own devices. */
  readonly isSelf: boolean
  /** Whether it is the internet, by way of exit nodes. */
  readonly isInternet: boolean
  /** Tells whether any of it lies at a node or behind it, but for what {@link Target.isSelf} means. */
  has(member: Member): boolean
  /** Tells whether any address of a route is meant, the internet by the routes of exit nodes. */
  covers(route: Prefix): boolean
  /** Returns what lies there, with ports. */
  ranges(member: Member): readonly NetPortRange[]
  /** Returns the node itself, with ports, where it is one of the devices meant by {@link Target.isSelf}. */
  ownRanges(member: Member): readonly NetPortRange[]
  /** Returns what lies there, as prefixes; everything is the node itself. */
  prefixes(member: Member): readonly string[]
}

/** Works out a destination. */
export function targetOf({ selector, ports }: Destination, network: Network): Target {
  const isAny = selector.kind === 'any'
  const isSelf = selector.kind === 'autogroup' && selector.name === 'self'
  const isInternet = selector.kind === 'autogroup' && selector.name === 'internet'
  const identified = new Set(network.identified(selector))
  const block = selector.kind === 'addresses' ? selector.prefix : undefined
  const withPorts = (IP: string): readonly NetPortRange[] => ports.map((Ports) => ({ IP, Ports }))
  const at = (member: Member): readonly Prefix[] => {
    if (identified.has(member)) return member.addresses
    return block && liesAt(block, member) ? [block] : []
  }
  return {
    isSelf,
    isInternet,
    has: (member) => isAny || at(member).length > 0 || (isInternet && member.isExit),
    covers: (route) => {
      if (isAny) return true
      if (route.bits === 0) return isInternet || block?.bits === 0
      return block !== undefined && overlap(block, route)
    },
    ranges: (member) => {
      if (isAny) return withPorts('*')
      if (isInternet) return member.isExit ? INTERNET.flatMap(withPorts) : []
      return at(member).flatMap((prefix) => withPorts(addressText(prefix)))
    },
    ownRanges: (member) =>
      isSelf ? member.addresses.flatMap((address) => withPorts(addressText(address))) : [],
    prefixes: (member) => (isAny ? member.addresses : at(member)).map((prefix) => formatPrefix(prefix)),
  }
}

function liesAt(block: Prefix, { addresses, subnets }: Member): boolean {
  return [...addresses, ...subnets].some((own) => overlap(block, own))
}
