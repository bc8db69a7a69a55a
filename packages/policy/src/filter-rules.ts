// From the rules of a policy to those that one node enforces (control §7.5).
import type { FilterRule, NetPortRange } from '@mesh/wire/control'
import { formatPrefix } from '@mesh/wire/ip'
import type { AccessRule, Capabilities } from './language/access-rules.ts'
import { addressText } from './language/selector.ts'
import { type Member, type Network, overlap } from './network.ts'
import { type Sources, sourcesOf } from './sources.ts'
import { type Target, targetOf } from './targets.ts'

/** Capabilities that the source has in turn towards whoever grants them the first. */
const COMPANIONS: ReadonlyMap<string, string> = new Map([
  ['tailscale.com/cap/drive', 'tailscale.com/cap/drive-sharer'],
  ['tailscale.com/cap/relay', 'tailscale.com/cap/relay-target'],
])

/** A rule with what is the same for every node worked out. */
export interface PreparedRule {
  readonly rule: AccessRule
  readonly sources: Sources
  readonly targets: readonly Target[]
  /** Whether it lets people reach their own devices. */
  readonly isSelf: boolean
  /** The sources of `autogroup:self` at a node: the devices of its owner. */
  readonly ownSources: (member: Member) => readonly string[]
  /** What the destinations would be as sources. */
  readonly turned: () => readonly string[]
}

const NOBODY: readonly string[] = []

/** Works out what is the same for every node. */
export function prepareRule(rule: AccessRule, network: Network): PreparedRule {
  const sources = sourcesOf(rule.sources, network, rule.required)
  const targets = rule.destinations.map((destination) => targetOf(destination, network))
  const isSelf = targets.some((target) => target.isSelf)
  const own = new Map<number, readonly string[]>()
  let turned: readonly string[] | undefined
  return {
    rule,
    sources,
    targets,
    isSelf,
    ownSources: ({ node: { user, tags } }) => {
      if (!isSelf || user === undefined || tags.length > 0) return NOBODY
      const known = own.get(user) ?? devicesOf(user, sources, network)
      own.set(user, known)
      return known
    },
    turned: () =>
      (turned ??= sourcesOf(
        rule.destinations.map(({ selector }) => selector),
        network,
      ).texts),
  }
}

function devicesOf(user: number, sources: Sources, network: Network): readonly string[] {
  const devices = network.ownedBy(user).filter((each) => sources.has(each))
  const texts = devices.flatMap(({ addresses }) => addresses.map((each) => addressText(each)))
  return network.oneList(texts.toSorted())
}

/** Returns the rules that a node enforces on what comes in. */
export function filterRulesFor(member: Member, rules: readonly PreparedRule[]): readonly FilterRule[] {
  const collected = new CollectedRules()
  for (const prepared of rules) {
    const { rule, sources, targets } = prepared
    if (rule.via.length > 0 && !isRouterFor(member, rule)) continue
    const own = prepared.ownSources(member)
    if (rule.capabilities) {
      collected.add(capabilityRules(member, prepared, rule.capabilities, own))
      continue
    }
    collected.allow(
      sources.texts,
      rule.protocol,
      targets.flatMap((target) => target.ranges(member)),
    )
    if (!prepared.isSelf) continue
    collected.allow(
      own,
      rule.protocol,
      targets.flatMap((target) => target.ownRanges(member)),
    )
  }
  return collected.rules
}

/**
 * Rules as they come together. Those for packets that differ in nothing but their destinations become one, at the place of
 * the first, even where that one has no destination at this node.
 */
class CollectedRules {
  readonly #rules: FilterRule[] = []
  readonly #ranges = new Map<number | undefined, Map<readonly string[], NetPortRange[]>>()

  get rules(): readonly FilterRule[] {
    return this.#rules.filter((rule) => rule.SrcIPs.length > 0 && rule.DstPorts?.length !== 0)
  }

  /** Equal sources are one list, which may be long: see {@link Network.oneList}. */
  allow(SrcIPs: readonly string[], protocol: number | undefined, ranges: readonly NetPortRange[]): void {
    const bySources = this.#ranges.get(protocol) ?? new Map<readonly string[], NetPortRange[]>()
    this.#ranges.set(protocol, bySources)
    const known = bySources.get(SrcIPs)
    if (known) return void known.push(...ranges)
    const DstPorts = [...ranges]
    bySources.set(SrcIPs, DstPorts)
    this.#rules.push({ SrcIPs, DstPorts, ...(protocol === undefined ? {} : { IPProto: [protocol] }) })
  }

  add(rules: readonly FilterRule[]): void {
    this.#rules.push(...rules)
  }
}

/** Only routers with the right tag forward it, and only what is theirs to route. */
function isRouterFor(member: Member, { via, destinations }: AccessRule): boolean {
  if (!via.some((tag) => member.node.tags.includes(tag))) return false
  return destinations.some(({ selector }) => {
    if (selector.kind === 'addresses')
      return member.subnets.some((subnet) => overlap(subnet, selector.prefix))
    return selector.kind === 'autogroup' && selector.name === 'internet' && member.isExit
  })
}

function capabilityRules(
  member: Member,
  { sources, targets, isSelf, turned }: PreparedRule,
  capabilities: Capabilities,
  own: readonly string[],
): readonly FilterRule[] {
  const grant = (SrcIPs: readonly string[], Dsts: readonly string[], CapMap: Capabilities): FilterRule => ({
    SrcIPs,
    CapGrant: [{ Dsts, CapMap }],
  })
  const itself = member.addresses.map((address) => formatPrefix(address))
  const granted = targets.flatMap((target) => target.prefixes(member))
  const isOwn = isSelf && own.length > 0
  const rules: FilterRule[] = []
  if (granted.length > 0) rules.push(grant(sources.texts, granted, capabilities))
  if (isOwn) rules.push(grant(own, itself, capabilities))
  for (const [name, companion] of COMPANIONS) {
    if (!(name in capabilities)) continue
    if (sources.has(member)) rules.push(grant(turned(), itself, { [companion]: null }))
    if (isOwn) rules.push(grant(own, itself, { [companion]: null }))
  }
  return rules
}
