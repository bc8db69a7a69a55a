// What a compiled policy answers about one node.
import type { FilterRule, SSHPolicy } from '@mesh/wire/control'
import { type IpAddress, parseAddress } from '@mesh/wire/ip'
import type { Capabilities } from './language/access-rules.ts'

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
  /** What this node's SSH server goes by. The same object comes back as long as nothing changed. */
  readonly sshPolicy: SSHPolicy
  /** The capabilities this node has for itself, beside those that every node has. */
  readonly attributes: Capabilities
  /** Returns those of the routes it offers, in CIDR text, that the policy approves; an exit node's are two of them. */
  approved(offered: readonly string[]): readonly string[]
  /**
   * Returns those of a peer's routes, in CIDR text, that this node has a use for: it may reach something there, or something
   * there may reach it. The routes of an exit node are for whoever may go to the internet.
   */
  uses(peer: number, routes: readonly string[]): readonly string[]
  /** Tells whether this node sees the given peer in its map. Seeing is mutual. */
  sees(peer: number): boolean
  /**
   * The number of its kind, of one compilation. Two nodes of a kind see the same others and the same of their routes, so what
   * one of them is to be told of others the other is, too.
   */
  readonly kind: number
  /** Whether it sees the other nodes of its kind. */
  readonly seesAlike: boolean
  /**
   * Returns how long a person's confirmation counts, milliseconds, where the policy lets a node log in at this one by SSH as
   * this local user only when a person confirms it; 0 for each time anew, `undefined` where it does not ask.
   */
  sshCheckPeriod(source: number, localUser: string): number | undefined
  /** Decides one flow towards this node. */
  verdict(flow: FlowQuestion): Verdict
}

/** What a verdict says of a question that is none. */
export const NOT_A_FLOW = 'The source and the destination are not two addresses of one family.'

/** Reads the addresses of a flow; `undefined` when they are not two of one family. */
export function readFlow(
  flow: FlowQuestion,
): { readonly source: IpAddress; readonly destination: IpAddress } | undefined {
  const source = parseAddress(flow.source)
  const destination = parseAddress(flow.destination)
  return source && destination && source.length === destination.length ? { source, destination } : undefined
}
