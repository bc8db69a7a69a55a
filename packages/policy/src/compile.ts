// The compiler: policy and network in, one answer a node out.
import type { FilterRule, SSHPolicy } from '@mesh/wire/control'
import { compileWritten } from './compiled-policy.ts'
import type { Capabilities } from './language/access-rules.ts'
import type { PolicyNode, PolicyUser } from './network.ts'
import { type FlowQuestion, NOT_A_FLOW, type NodePolicy, readFlow, type Verdict } from './node-policy.ts'
import { parseRules, type RuleSet, rulesAccept } from './rules.ts'
import type { WrittenPolicy } from './written-policy.ts'

/** Everybody may reach everybody on every port: what a network without a written policy means (control §7.1). */
export interface AllowAllPolicy {
  readonly kind: 'allow-all'
}

/** A policy, before it is compiled. */
export type Policy = AllowAllPolicy | WrittenPolicy

/** The compiled policy: one answer a node. */
export interface CompiledPolicy {
  /** Returns what the policy means for the node, or `undefined` for a node that was not compiled. */
  forNode(id: number): NodePolicy | undefined
}

/** The rule of a network without a policy: from anywhere to anywhere, the default protocols, every port. */
export const ALLOW_ALL_RULES: readonly FilterRule[] = [
  { SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65535 } }] },
]

const OPEN_RULES: RuleSet = parseRules(ALLOW_ALL_RULES)
/** Nobody logs in by SSH unless a policy says so. */
const NO_SSH: SSHPolicy = { rules: [] }
const NO_ATTRIBUTES: Capabilities = {}

/**
 * Returns what the policy means for each node. The result is immutable: compile again when the policy, a user, or a node's
 * owner, tags, addresses or approved routes change. A node's answer is worked out when it is first asked for.
 */
export function compile(
  policy: Policy,
  nodes: readonly PolicyNode[],
  users: readonly PolicyUser[] = [],
): CompiledPolicy {
  switch (policy.kind) {
    case 'allow-all':
      return compileAllowAll(nodes)
    case 'written':
      return { forNode: compileWritten(policy, nodes, users) }
  }
}

function compileAllowAll(nodes: readonly PolicyNode[]): CompiledPolicy {
  const answers = new Map<number, NodePolicy>()
  for (const { id } of nodes) answers.set(id, new OpenNodePolicy(id, answers))
  return { forNode: (id) => answers.get(id) }
}

/** What a node may do where there is no policy; all of them are of one kind. */
class OpenNodePolicy implements NodePolicy {
  readonly kind = 0
  readonly seesAlike = true
  readonly packetFilter = ALLOW_ALL_RULES
  readonly sshPolicy = NO_SSH
  readonly attributes = NO_ATTRIBUTES
  readonly #id: number
  readonly #all: ReadonlyMap<number, NodePolicy>

  constructor(id: number, all: ReadonlyMap<number, NodePolicy>) {
    this.#id = id
    this.#all = all
  }

  sshCheckPeriod(): undefined {
    return undefined
  }

  approved(): readonly string[] {
    return []
  }

  uses(_peer: number, routes: readonly string[]): readonly string[] {
    return routes
  }

  sees(peer: number): boolean {
    return peer !== this.#id && this.#all.has(peer)
  }

  verdict(flow: FlowQuestion): Verdict {
    return judge(OPEN_RULES, flow)
  }
}

function judge(rules: RuleSet, flow: FlowQuestion): Verdict {
  const read = readFlow(flow)
  if (!read) return { allowed: false, reason: NOT_A_FLOW }
  const allowed = rulesAccept(rules, read.source, read.destination, flow.protocol, flow.port)
  return allowed
    ? { allowed, reason: 'The network has no policy, so everything is allowed.' }
    : { allowed, reason: `No rule names protocol ${flow.protocol}.` }
}
