// A written policy over a network: one answer a node, each worked out when it is first asked for.
import type { FilterRule, SSHPolicy } from '@mesh/wire/control'
import { filterRulesFor, type PreparedRule, prepareRule } from './filter-rules.ts'
import { type Member, Network, type PolicyNode, type PolicyUser } from './network.ts'
import { type FlowQuestion, NOT_A_FLOW, type NodePolicy, readFlow, type Verdict } from './node-policy.ts'
import { parsePrefix, type Prefix } from '@mesh/wire/ip'
import { parseRules, rulesAccept } from './rules.ts'
import type { Capabilities } from './language/access-rules.ts'
import { attributesFor } from './node-attributes.ts'
import { approvedByPolicy } from './route-approval.ts'
import { sshCheckPeriod, sshPolicyFor } from './ssh-policy.ts'
import type { WrittenPolicy } from './written-policy.ts'

/** What is the same for all nodes of one compilation. */
interface Compilation {
  readonly network: Network
  readonly rules: readonly PreparedRule[]
  readonly policy: WrittenPolicy
}

/** Returns the answers to a written policy. */
export function compileWritten(
  policy: WrittenPolicy,
  nodes: readonly PolicyNode[],
  users: readonly PolicyUser[],
): (id: number) => NodePolicy | undefined {
  const network = new Network(nodes, users)
  const rules = policy.rules.map((rule) => prepareRule(rule, network))
  const compilation = { network, rules, policy }
  const answers = new Map<number, NodePolicy>()
  return (id) => {
    const member = network.members.get(id)
    if (!member) return undefined
    const answer = answers.get(id) ?? new WrittenNodePolicy(member, compilation)
    answers.set(id, answer)
    return answer
  }
}

class WrittenNodePolicy implements NodePolicy {
  readonly #member: Member
  readonly #compilation: Compilation
  #packetFilter: readonly FilterRule[] | undefined
  #sshPolicy: SSHPolicy | undefined
  #attributes: Capabilities | undefined

  constructor(member: Member, compilation: Compilation) {
    this.#member = member
    this.#compilation = compilation
  }

  get packetFilter(): readonly FilterRule[] {
    const { rules, network } = this.#compilation
    this.#packetFilter ??= filterRulesFor(this.#member, rules, network)
    return this.#packetFilter
  }

  get sshPolicy(): SSHPolicy {
    const { policy, network } = this.#compilation
    this.#sshPolicy ??= sshPolicyFor(this.#member, policy.ssh, network)
    return this.#sshPolicy
  }

  get attributes(): Capabilities {
    const { policy, network } = this.#compilation
    this.#attributes ??= attributesFor(this.#member, policy.attributes, network)
    return this.#attributes
  }

  approved(offered: readonly string[]): readonly string[] {
    const { policy, network } = this.#compilation
    return approvedByPolicy(this.#member, offered, policy.approvers, network)
  }

  uses(peer: number, routes: readonly string[]): readonly string[] {
    const { network, rules } = this.#compilation
    const other = network.members.get(peer)
    if (!other) return []
    return routes.filter((text) => {
      const route = parsePrefix(text)
      return route !== undefined && rules.some((rule) => leadsOver(rule, this.#member, other, route))
    })
  }

  sees(peer: number): boolean {
    const { network, rules } = this.#compilation
    const other = network.members.get(peer)
    if (!other || other === this.#member) return false
    return rules.some((rule) => joins(rule, this.#member, other) || joins(rule, other, this.#member))
  }

  sshCheckPeriod(source: number, localUser: string): number | undefined {
    const { network, policy } = this.#compilation
    const from = network.members.get(source)
    return from && sshCheckPeriod(this.#member, from, localUser, policy.ssh, network)
  }

  verdict(flow: FlowQuestion): Verdict {
    const { network, rules } = this.#compilation
    const read = readFlow(flow)
    if (!read) return { allowed: false, reason: NOT_A_FLOW }
    const { source, destination } = read
    const decides = rules.find((rule) => {
      const set = parseRules(filterRulesFor(this.#member, [rule], network))
      return rulesAccept(set, source, destination, flow.protocol, flow.port)
    })
    if (!decides) return { allowed: false, reason: 'No rule of the policy allows it.' }
    return { allowed: true, reason: `It is allowed by ${decides.rule.name}.` }
  }
}

/** Tells whether a rule lets one node reach another, or have a capability there. */
function joins({ rule, sources, targets }: PreparedRule, from: Member, to: Member): boolean {
  if (!sources.has(from)) return false
  return targets.some((target) => {
    if (target.isSelf) return isSameOwner(from, to)
    if (rule.via.length > 0 && !rule.via.some((tag) => to.node.tags.includes(tag))) return false
    return target.has(to)
  })
}

/** Tells whether a rule lets packets go between a node and what lies behind a router. */
function leadsOver(
  { rule, sources, targets }: PreparedRule,
  member: Member,
  router: Member,
  route: Prefix,
): boolean {
  // Such a rule is about what applications let each other do, not about packets.
  if (rule.capabilities) return false
  const isVia = rule.via.length === 0 || rule.via.some((tag) => router.node.tags.includes(tag))
  if (isVia && sources.has(member) && targets.some((target) => target.covers(route))) return true
  return route.bits > 0 && sources.covers(route) && targets.some((target) => target.has(member))
}

function isSameOwner({ node: a }: Member, { node: b }: Member): boolean {
  return a.user !== undefined && a.user === b.user && a.tags.length === 0 && b.tags.length === 0
}
