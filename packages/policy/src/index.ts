/**
 * From the policy of a network to what each node may do: the packet-filter rules it enforces, the peers it sees, and a
 * verdict with its reason for any flow. Beside the compiler stands the filter that enforces the rules, packet by packet.
 *
 * @packageDocumentation
 */
export { ALLOW_ALL_RULES, compile } from './compile.ts'
export type { AllowAllPolicy, CompiledPolicy, Policy } from './compile.ts'
export { PolicyError } from './errors.ts'
export type { PolicyErrorCode } from './errors.ts'
export type { AccessRule, Capabilities, Destination } from './language/access-rules.ts'
export type { Approvers, RouteApprover } from './language/approvers.ts'
export type { Assertion, DevicePosture, Required } from './language/postures.ts'
export type { AttributeRule } from './language/attribute-rules.ts'
export type { Autogroup, Selector } from './language/selector.ts'
export type { PolicyNode, PolicyUser } from './network.ts'
export type { FlowQuestion, NodePolicy, Verdict } from './node-policy.ts'
export { capabilitiesBetween } from './peer-capabilities.ts'
export type { PolicyContext, SshRule } from './language/ssh-rules.ts'
export { PacketFilter } from './packet-filter.ts'
export type { FilterDropReason, FilterVerdict } from './packet-filter.ts'
export { hasTag, ownsTag } from './tag-owners.ts'
export { SSH_ACCEPT } from './ssh-policy.ts'
export { testPolicy } from './policy-tests.ts'
export type { SshTestText, TestText } from './language/document.ts'
export type { Names } from './language/names.ts'
export { readPolicy } from './written-policy.ts'
export type { WrittenPolicy } from './written-policy.ts'
