// The compiler: policy and nodes in, one answer a node out. Today's only policy allows everything; the written
// language takes its place behind the same function, as another member of the Policy union.

import { parseAddress } from '@mesh/wire/ip'
import type { FilterRule } from '@mesh/wire/control'
import { parseRules, rulesAccept } from './rules.ts'
import type { RuleSet } from './rules.ts'

/** Everybody may reach everybody on every port: what a network without a written policy means (control §7.1). */
export interface AllowAllPolicy {
  readonly kind: 'allow-all'
}

/** A policy, before it is compiled. */
export type Policy = AllowAllPolicy

/** What the compiler needs to know of a node. */
export interface PolicyNode {
  /** The node's number; the answers are keyed by it. */
  readonly id: number
  /** The number of the user who owns it, or `undefined` when tags own it. */
  readonly user: number | undefined
  /** Its tags, each as `tag:name`. */
  readonly tags: readonly string[]
  /** Its own addresses, as text without a prefix length. */
  readonly addresses: readonly string[]
  /** The subnet routes approved for it, in CIDR text. */
  readonly routes: readonly string[]
}

/** One flow somebody asks about. */
export interface FlowQuestion {
  /** The source address, as text. */
  readonly source: string
  /** The destination address, as text. */
  readonly destination: string
  /** The IP protocol number: 6 for TCP, 17 for UDP, 1 and 58 for ICMP. */
  readonly protocol: number
  /** The destination port; 0 for protocols that have none. */
  readonly port: number
}

/** The answer to a {@link FlowQuestion}, and why. */
export interface Verdict {
  /** Whether the flow may be opened. */
  readonly allowed: boolean
  /** One sentence naming the rule that decided. */
  readonly reason: string
}

/** What the policy means for one node. */
export interface NodePolicy {
  /**
   * The rules this node enforces on what comes in. The same array comes back as long as nothing changed, so a reader
   * may compare by reference.
   */
  readonly packetFilter: readonly FilterRule[]
  /** Tells whether this node sees the given peer in its map. Seeing is mutual. */
  sees(peer: number): boolean
  /** Decides one flow towards this node. */
  verdict(flow: FlowQuestion): Verdict
}

/** The compiled policy: one answer a node. */
export interface CompiledPolicy {
  /** Returns what the policy means for the node, or `undefined` for a node that was not compiled. */
  forNode(id: number): NodePolicy | undefined
}

/** The rule of a network without a policy: from anywhere to anywhere, the default protocols, every port. */
export const ALLOW_ALL_RULES: readonly FilterRule[] = [
  { SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65535 } }] },
]

/**
 * Returns what the policy means for each node. The result is immutable: compile again when the policy, a node's
 * owner, tags, addresses or approved routes change.
 */
export function compile(policy: Policy, nodes: readonly PolicyNode[]): CompiledPolicy {
  switch (policy.kind) {
    case 'allow-all':
      return compileAllowAll(nodes)
  }
}

function compileAllowAll(nodes: readonly PolicyNode[]): CompiledPolicy {
  const ids = new Set(nodes.map((node) => node.id))
  const rules = parseRules(ALLOW_ALL_RULES)
  const answers = new Map<number, NodePolicy>()
  for (const { id } of nodes) {
    answers.set(id, {
      packetFilter: ALLOW_ALL_RULES,
      sees: (peer) => peer !== id && ids.has(peer),
      verdict: (flow) => judge(rules, flow),
    })
  }
  return { forNode: (id) => answers.get(id) }
}

function judge(rules: RuleSet, flow: FlowQuestion): Verdict {
  const source = parseAddress(flow.source)
  const destination = parseAddress(flow.destination)
  if (!source || !destination || source.length !== destination.length) {
    return { allowed: false, reason: 'The source and the destination are not two addresses of one family.' }
  }
  const allowed = rulesAccept(rules, source, destination, flow.protocol, flow.port)
  return allowed
    ? { allowed, reason: 'The network has no policy, so everything is allowed.' }
    : { allowed, reason: `No rule names protocol ${flow.protocol}.` }
}
