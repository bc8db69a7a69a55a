// Who may reach what, as the node that is reached hears it (control protocol §4.8).

import {
  anything,
  dictionary,
  filled,
  int,
  type JsonDecoder,
  list,
  nullable,
  object,
  optional,
  required,
  text,
} from './schema.ts'

/** Ports from `First` to `Last`, both included; 0 to 65535 is any. */
export interface PortRange {
  /** The lowest port. */
  readonly First: number
  /** The highest port. */
  readonly Last: number
}

/** An address and its ports. */
export interface NetPortRange {
  /** An address, a prefix, a range `a-b`, or `*`. */
  readonly IP: string
  /** Obsolete; its presence makes the whole filter void. */
  readonly Bits?: number
  /** The ports. */
  readonly Ports: PortRange
}

/** Capabilities a source has towards destinations. */
export interface CapGrant {
  /** The destinations, prefixes. */
  readonly Dsts: readonly string[]
  /** The capabilities, in the old form. */
  readonly Caps?: readonly string[]
  /** The capabilities and their values. */
  readonly CapMap?: Readonly<Record<string, readonly unknown[] | null>>
}

/** One rule: packets from `SrcIPs` may reach `DstPorts`. */
export interface FilterRule {
  /** Addresses, prefixes, ranges, `*`, or `cap:<name>`; an empty list matches nothing. */
  readonly SrcIPs: readonly string[]
  /** Obsolete; its presence makes the whole filter void. */
  readonly SrcBits?: readonly number[]
  /** What may be reached. */
  readonly DstPorts?: readonly NetPortRange[]
  /** The protocols; absent or empty means TCP, UDP and both ICMPs. */
  readonly IPProto?: readonly number[]
  /** What is granted beyond packets. */
  readonly CapGrant?: readonly CapGrant[]
}

const decodePortRange: JsonDecoder<PortRange> = object<PortRange>({
  First: filled(int, 0),
  Last: filled(int, 0),
})

const decodeNetPortRange: JsonDecoder<NetPortRange> = object<NetPortRange>({
  IP: filled(text, ''),
  Bits: optional(int),
  Ports: required(decodePortRange),
})

const decodeCapGrant: JsonDecoder<CapGrant> = object<CapGrant>({
  Dsts: filled(list(text), []),
  Caps: optional(list(text)),
  CapMap: optional(dictionary(nullable(list(anything)))),
})

/** Reads a rule. A field of the wrong kind refuses the rule: a filter is never read more widely than written. */
export const decodeFilterRule: JsonDecoder<FilterRule> = object<FilterRule>({
  SrcIPs: filled(list(text), []),
  SrcBits: optional(list(int)),
  DstPorts: optional(list(decodeNetPortRange)),
  IPProto: optional(list(int)),
  CapGrant: optional(list(decodeCapGrant)),
})
