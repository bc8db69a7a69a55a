/**
 * From the policy of a network to what each node may do: the packet-filter rules it enforces, the peers it sees, and a
 * verdict with its reason for any flow. Beside the compiler stands the filter that enforces the rules, packet by packet.
 *
 * @packageDocumentation
 */
export { ALLOW_ALL_RULES, compile } from './compile.ts'
export type {
  AllowAllPolicy,
  CompiledPolicy,
  FlowQuestion,
  NodePolicy,
  Policy,
  PolicyNode,
  Verdict,
} from './compile.ts'
export { capabilitiesBetween } from './peer-capabilities.ts'
export { PacketFilter } from './packet-filter.ts'
export type { FilterDropReason, FilterVerdict } from './packet-filter.ts'
