// The left side of a rule: where packets may come from, as the text of filter rules and as the nodes that are meant.
import { formatPrefix, type Prefix } from '@mesh/wire/ip'
import { complies, type Required } from './language/postures.ts'
import { addressText, type Selector } from './language/selector.ts'
import { type Member, type Network, overlap } from './network.ts'

/** What `*` means as a source: the addresses of nodes, without the block that some systems keep for themselves. */
const EVERY_NODE = [
  '100.64.0.0-100.115.91.255',
  '100.115.94.0-100.127.255.255',
  'fd7a:115c:a1e0::/48',
] as const

/** The sources of one rule. */
export interface Sources {
  /** Sorted as text, each once. Equal texts are the same list, see {@link Network.oneList}. */
  readonly texts: readonly string[]
  /** Tells whether a node is meant, by its address or by what is behind it. */
  has(member: Member): boolean
  /** Tells whether any address of a subnet is meant. */
  covers(subnet: Prefix): boolean
}

/** Returns what selectors mean as sources, without the devices that are not as is required. */
export function sourcesOf(
  selectors: readonly Selector[],
  network: Network,
  required: Required = [],
): Sources {
  const sources = allSourcesOf(selectors, network)
  if (required.length === 0) return sources
  // What lies behind a router is nobody's device, so nothing is known of it.
  const members = Array.from(network.members.values())
    .filter((member) => sources.has({ ...member, subnets: [] }) || sources.members.has(member))
    .filter(({ node }) => complies(node.posture, required))
  const compliant = new Set(members)
  const texts = members.flatMap(({ addresses }) => addresses.map((address) => addressText(address)))
  return {
    texts: network.oneList([...new Set(texts)].toSorted()),
    covers: () => false,
    has: (member) => compliant.has(member),
  }
}

function allSourcesOf(
  selectors: readonly Selector[],
  network: Network,
): Sources & { readonly members: ReadonlySet<Member> } {
  const texts = new Set<string>()
  const members = new Set<Member>()
  const prefixes: Prefix[] = []
  let isAny = false
  for (const selector of selectors) {
    if (selector.kind === 'any') {
      isAny = true
      for (const text of [...EVERY_NODE, ...subnetTexts(network)]) texts.add(text)
    } else if (selector.kind === 'addresses') {
      prefixes.push(selector.prefix)
      texts.add(selector.text)
    } else if (selector.kind === 'autogroup' && selector.name === 'danger-all') {
      isAny = true
      texts.add('*')
    } else {
      for (const member of network.identified(selector) ?? []) {
        members.add(member)
        for (const address of member.addresses) texts.add(addressText(address))
      }
    }
  }
  return {
    members,
    texts: network.oneList([...texts].toSorted()),
    covers: (subnet) => isAny || prefixes.some((prefix) => overlap(prefix, subnet)),
    has: (member) =>
      isAny ||
      members.has(member) ||
      prefixes.some((prefix) => [...member.addresses, ...member.subnets].some((own) => overlap(prefix, own))),
  }
}

function subnetTexts(network: Network): readonly string[] {
  return Array.from(network.members.values(), ({ subnets }) =>
    subnets.map((subnet) => formatPrefix(subnet)),
  ).flat()
}
