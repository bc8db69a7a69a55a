// A written policy over a network: one answer a node, each worked out when it is first asked for.
import type { FilterRule, SSHPolicy } from '@mesh/wire/control'
import { filterRulesFor, type PreparedRule, prepareRule } from './filter-rules.ts'
import { type Member, Network, type PolicyNode, type PolicyUser } from './network.ts'
import { type FlowQuestion, NOT_A_FLOW, type NodePolicy, readFlow, type Verdict } from './node-policy.ts'
import { parseRules, rulesAccept } from './rules.ts'
import type { Capabilities } from './language/access-rules.ts'
import { attributesFor, type PreparedAttributes, prepareAttributes } from './node-attributes.ts'
import { Reach } from './reach.ts'
import { approvedByPolicy } from './route-approval.ts'
import { type PreparedSshRule, prepareSshRule, sshCheckPeriod, sshPolicyFor } from './ssh-policy.ts'
import type { WrittenPolicy } from './written-policy.ts'

/** What is the same for all nodes of one compilation. */
interface Compilation {
  readonly network: Network
  readonly rules: readonly PreparedRule[]
  readonly ssh: readonly PreparedSshRule[]
  readonly attributes: readonly PreparedAttributes[]
  readonly reach: Reach
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
  const compilation = {
    network,
    rules,
    ssh: policy.ssh.map((rule) => prepareSshRule(rule, network)),
    attributes: policy.attributes.map((rule) => prepareAttributes(rule, network)),
    reach: new Reach(rules, network),
    policy,
  }
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
  #kind: number | undefined
  #packetFilter: readonly FilterRule[] | undefined
  #sshPolicy: SSHPolicy | undefined
  #attributes: Capabilities | undefined

  constructor(member: Member, compilation: Compilation) {
    this.#member = member
    this.#compilation = compilation
  }

  get packetFilter(): readonly FilterRule[] {
    this.#packetFilter ??= filterRulesFor(this.#member, this.#compilation.rules)
    return this.#packetFilter
  }

  get sshPolicy(): SSHPolicy {
    this.#sshPolicy ??= sshPolicyFor(this.#member, this.#compilation.ssh)
    return this.#sshPolicy
  }

  get attributes(): Capabilities {
    this.#attributes ??= attributesFor(this.#member, this.#compilation.attributes)
    return this.#attributes
  }

  approved(offered: readonly string[]): readonly string[] {
    const { policy, network } = this.#compilation
    return approvedByPolicy(this.#member, offered, policy.approvers, network)
  }

  get kind(): number {
    this.#kind ??= this.#compilation.reach.kindOf(this.#member.node.id)
    return this.#kind
  }

  get seesAlike(): boolean {
    return this.#compilation.reach.seesAlike(this.#member.node.id)
  }

  uses(peer: number, routes: readonly string[]): readonly string[] {
    const { reach } = this.#compilation
    return routes.filter((route) => reach.leadsOver(this.#member.node.id, peer, route))
  }

  sees(peer: number): boolean {
    const { id } = this.#member.node
    return peer !== id && this.#compilation.reach.joins(id, peer)
  }

  sshCheckPeriod(source: number, localUser: string): number | undefined {
    const { network, ssh } = this.#compilation
    const from = network.members.get(source)
    return from && sshCheckPeriod(this.#member, from, localUser, ssh, network)
  }

  verdict(flow: FlowQuestion): Verdict {
    const { rules } = this.#compilation
    const read = readFlow(flow)
    if (!read) return { allowed: false, reason: NOT_A_FLOW }
    const { source, destination } = read
    const decides = rules.find((rule) => {
      const set = parseRules(filterRulesFor(this.#member, [rule]))
      return rulesAccept(set, source, destination, flow.protocol, flow.port)
    })
    if (!decides) return { allowed: false, reason: 'No rule of the policy allows it.' }
    return { allowed: true, reason: `It is allowed by ${decides.rule.name}.` }
  }
}
