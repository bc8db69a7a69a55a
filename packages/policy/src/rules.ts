// Filter rules as the packet path wants them: address ranges as 32-bit words, so that a match reads the packet's own
// bytes and makes no object. Text comes from control and is not trusted: an entry that does not parse is left out.

import type { FilterRule, NetPortRange } from '@mesh/wire/control'
import { type IpPacket, parseAddress, parsePrefix } from '@mesh/wire/ip'

/** Protocols a rule means when it names none: TCP, UDP, ICMP, ICMPv6 (data-plane §7.3). */
const DEFAULT_PROTOCOLS = [6, 17, 1, 58]
/** The protocols whose port range is looked at; any other needs a rule over all ports. */
const TCP = 6
const UDP = 17
const SCTP = 132
const ICMP = 1
const ICMPV6 = 58

/**
 * Inclusive ranges of one family: 2 words a range for IPv4 (low, high), 8 for IPv6 (4 low, 4 high). The words are signed
 * and less by 2^31, which keeps their order: a number above 2^31 may be an object.
 */
interface RangeSet {
  readonly v4: Int32Array
  readonly v6: Int32Array
}

const LOWEST = -0x8000_0000
const HIGHEST = 0x7fff_ffff

interface Destination {
  readonly ranges: RangeSet
  readonly first: number
  readonly last: number
}

interface Rule {
  readonly protocols: ReadonlySet<number>
  readonly sources: RangeSet
  readonly destinations: readonly Destination[]
}

/** Parsed rules; order does not matter, since no rule denies. */
export type RuleSet = readonly Rule[]

/**
 * Reads rules as control sends them. The obsolete `SrcBits` and `Bits` anywhere make the whole set empty, which denies
 * everything, as clients do (control §4.8).
 */
export function parseRules(rules: readonly FilterRule[]): RuleSet {
  if (rules.some(usesObsoleteBits)) return []
  const parsed: Rule[] = []
  for (const rule of rules) {
    const protocols = protocolsOf(rule)
    const sources = toRanges(rule.SrcIPs ?? [])
    const destinations = (rule.DstPorts ?? []).map(parseDestination).filter((each) => each !== undefined)
    if (protocols.size > 0 && destinations.length > 0) parsed.push({ protocols, sources, destinations })
  }
  return parsed
}

/** Reads prefixes into ranges; entries that do not parse are left out. */
export function toRanges(texts: readonly string[]): RangeSet {
  const v4: number[] = []
  const v6: number[] = []
  for (const text of texts) appendRange(text, v4, v6)
  return { v4: Int32Array.from(v4), v6: Int32Array.from(v6) }
}

/** Tells whether an address (4 or 16 bytes at `offset` of `bytes`) is in one of the ranges. */
export function inRanges(ranges: RangeSet, bytes: Uint8Array, offset: number, length: number): boolean {
  return length === 4 ? inRanges4(ranges.v4, readWord(bytes, offset)) : inRanges6(ranges.v6, bytes, offset)
}

/** Decides one flow from its parts. Ports of protocols without ports are ignored when `protocol` is ICMP. */
export function rulesAccept(
  rules: RuleSet,
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  port: number,
): boolean {
  return rules.some((rule) => {
    if (!rule.protocols.has(protocol)) return false
    if (!inRanges(rule.sources, source, 0, source.length)) return false
    return reaches(rule, destination, 0, destination.length, protocol, port)
  })
}

/** Returns the ports that a source may reach at a destination by a protocol; ranges may overlap. */
export function allowedPorts(
  rules: RuleSet,
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
): readonly { readonly first: number; readonly last: number }[] {
  return rules
    .filter((rule) => rule.protocols.has(protocol) && inRanges(rule.sources, source, 0, source.length))
    .flatMap((rule) => rule.destinations)
    .filter(({ ranges }) => inRanges(ranges, destination, 0, destination.length))
}

/** Decides one packet; nothing is allocated. */
export function rulesAcceptPacket(rules: RuleSet, packet: IpPacket): boolean {
  const { bytes, sourceOffset, destinationOffset, addressLength, protocol, destinationPort } = packet
  for (let i = 0; i < rules.length; i += 1) {
    const rule = rules[i] as Rule
    if (!rule.protocols.has(protocol)) continue
    if (!inRanges(rule.sources, bytes, sourceOffset, addressLength)) continue
    if (reaches(rule, bytes, destinationOffset, addressLength, protocol, destinationPort)) return true
  }
  return false
}

/** Decides an echo request: any rule that joins the two addresses will do, whatever its protocol and ports. */
export function rulesJoin(rules: RuleSet, packet: IpPacket): boolean {
  const { bytes, sourceOffset, destinationOffset, addressLength } = packet
  for (let i = 0; i < rules.length; i += 1) {
    const rule = rules[i] as Rule
    if (!inRanges(rule.sources, bytes, sourceOffset, addressLength)) continue
    for (let j = 0; j < rule.destinations.length; j += 1) {
      const { ranges } = rule.destinations[j] as Destination
      if (inRanges(ranges, bytes, destinationOffset, addressLength)) return true
    }
  }
  return false
}

function reaches(
  rule: Rule,
  bytes: Uint8Array,
  offset: number,
  length: number,
  protocol: number,
  port: number,
): boolean {
  for (let i = 0; i < rule.destinations.length; i += 1) {
    const { ranges, first, last } = rule.destinations[i] as Destination
    if (portMatches(protocol, port, first, last) && inRanges(ranges, bytes, offset, length)) return true
  }
  return false
}

function portMatches(protocol: number, port: number, first: number, last: number): boolean {
  if (protocol === TCP || protocol === UDP || protocol === SCTP) return port >= first && port <= last
  if (protocol === ICMP || protocol === ICMPV6) return true
  return first === 0 && last === 65535
}

function usesObsoleteBits(rule: FilterRule): boolean {
  if ('SrcBits' in rule && rule.SrcBits != null) return true
  return (rule.DstPorts ?? []).some((each) => 'Bits' in each && each.Bits != null)
}

function protocolsOf(rule: FilterRule): ReadonlySet<number> {
  const named = rule.IPProto ?? []
  if (named.length === 0) return new Set(DEFAULT_PROTOCOLS)
  return new Set(named.filter((each) => Number.isInteger(each) && each >= 0 && each <= 255))
}

function parseDestination(range: NetPortRange): Destination | undefined {
  const ranges = toRanges([range.IP])
  if (ranges.v4.length === 0 && ranges.v6.length === 0) return undefined
  return { ranges, first: range.Ports.First, last: range.Ports.Last }
}

/** Reads `*`, an address, a prefix without host bits, or `low-high`. `cap:` sources are not known here yet. */
function appendRange(text: string, v4: number[], v6: number[]): void {
  if (text === '*') {
    v4.push(LOWEST, HIGHEST)
    v6.push(LOWEST, LOWEST, LOWEST, LOWEST, HIGHEST, HIGHEST, HIGHEST, HIGHEST)
    return
  }
  const dash = text.indexOf('-')
  if (dash > 0)
    return appendBounds(parseAddress(text.slice(0, dash)), parseAddress(text.slice(dash + 1)), v4, v6)
  if (!text.includes('/')) {
    const address = parseAddress(text)
    return appendBounds(address, address, v4, v6)
  }
  const prefix = parsePrefix(text)
  if (!prefix) return
  const high = withHostBits(prefix.address, prefix.bits, 1)
  const low = withHostBits(prefix.address, prefix.bits, 0)
  if (low.some((byte, i) => byte !== prefix.address[i])) return
  appendBounds(low, high, v4, v6)
}

function appendBounds(
  low: Uint8Array | undefined,
  high: Uint8Array | undefined,
  v4: number[],
  v6: number[],
): void {
  if (!low || !high || low.length !== high.length) return
  if (low.length === 4) {
    v4.push(readWord(low, 0), readWord(high, 0))
    return
  }
  for (const bound of [low, high]) for (let at = 0; at < 16; at += 4) v6.push(readWord(bound, at))
}

function withHostBits(address: Uint8Array, bits: number, value: 0 | 1): Uint8Array {
  return address.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, bits - i * 8))
    const hostMask = 0xff >> kept
    return value ? byte | hostMask : byte & ~hostMask
  })
}

function inRanges4(ranges: Int32Array, word: number): boolean {
  for (let i = 0; i < ranges.length; i += 2) {
    if (word >= (ranges[i] as number) && word <= (ranges[i + 1] as number)) return true
  }
  return false
}

function inRanges6(ranges: Int32Array, bytes: Uint8Array, offset: number): boolean {
  for (let i = 0; i < ranges.length; i += 8) {
    if (compare6(bytes, offset, ranges, i) >= 0 && compare6(bytes, offset, ranges, i + 4) <= 0) return true
  }
  return false
}

function compare6(bytes: Uint8Array, offset: number, ranges: Int32Array, at: number): number {
  for (let i = 0; i < 4; i += 1) {
    const word = readWord(bytes, offset + i * 4)
    const bound = ranges[at + i] as number
    if (word !== bound) return word < bound ? -1 : 1
  }
  return 0
}

/** Returns the 32 bits at `at`, less by 2^31. */
function readWord(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
  const low = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
  return ((high << 16) | low) ^ LOWEST
}
