// The packet filter of one node: what comes in needs a rule or an outbound flow it answers; what goes out is noted.
// The order of the checks is that of data-plane §7.2 and §7.3. One filter a node; it allocates nothing per packet.

import type { FilterRule } from '@mesh/wire/control'
import {
  type IpPacket,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_SCTP,
  PROTOCOL_TCP,
  PROTOCOL_TSMP,
  PROTOCOL_UDP,
  TCP_ACK,
  TCP_SYN,
} from '@mesh/wire/ip'
import { FlowTable } from './flow-table.ts'
import { inRanges, parseRules, rulesAcceptPacket, rulesJoin, toRanges } from './rules.ts'
import type { RuleSet } from './rules.ts'

/** Why the filter refused a packet. */
export type FilterDropReason = 'malformed' | 'multicast' | 'link-local' | 'not-local' | 'no-rule'

/** The filter's answer for one packet. */
export type FilterVerdict = 'accept' | FilterDropReason

/** Echo reply, unreachable, time exceeded, parameter problem. */
const ICMP_ANSWERS = new Set([0, 3, 11, 12])
/** Unreachable, too big, time exceeded, parameter problem, echo reply. */
const ICMPV6_ANSWERS = new Set([1, 2, 3, 4, 129])

/**
 * Decides which packets of the tunnel reach this node. Allows nothing inbound until rules and local prefixes are set,
 * but for what needs no rule: answers, established TCP and TSMP. State survives a change of rules (checklist F2).
 */
export class PacketFilter {
  readonly #flows = new FlowTable()
  readonly #drops: Record<FilterDropReason, number> = {
    malformed: 0,
    multicast: 0,
    'link-local': 0,
    'not-local': 0,
    'no-rule': 0,
  }
  #rules: RuleSet = []
  #local = toRanges([])
  #peerApiPort4 = 0
  #peerApiPort6 = 0
  #shieldsUp = false

  /** Replaces the rules, as the map's `PacketFilter` gives them. Entries that do not parse are left out. */
  setRules(rules: readonly FilterRule[]): void {
    this.#rules = parseRules(rules)
  }

  /** Replaces what counts as this node: its own addresses and the routes it advertises, as text with or without length. */
  setLocalPrefixes(prefixes: readonly string[]): void {
    this.#local = toRanges(prefixes)
  }

  /** Names the peer API's TCP port for IPv4 and IPv6, which needs no rule; 0 for none. */
  setPeerApiPorts(port4: number, port6: number): void {
    this.#peerApiPort4 = port4
    this.#peerApiPort6 = port6
  }

  /** Turns shields-up on or off: when on, only answers to this node's own traffic come in. */
  setShieldsUp(on: boolean): void {
    this.#shieldsUp = on
  }

  /** Counts of refused packets by reason, both directions together. */
  get drops(): Readonly<Record<FilterDropReason, number>> {
    return this.#drops
  }

  /** Decides a packet (as read, with or without success) that leaves this node, and remembers its flow so that the answer may come back. */
  fromOverlay(packet: IpPacket): FilterVerdict {
    const refused = preCheck(packet)
    if (refused) return this.#drop(refused)
    if (packet.fragmentOffset === 0 && isTracked(packet.protocol)) this.#flows.note(packet)
    return 'accept'
  }

  /**
   * Decides a packet (as read, with or without success) that came out of the tunnel for this node; `answersOnly` when it is of
   * a peer that may only answer.
   */
  toOverlay(packet: IpPacket, answersOnly = false): FilterVerdict {
    const refused = preCheck(packet)
    if (refused) return this.#drop(refused)
    if (packet.fragmentOffset > 0) return 'accept'
    if (!inRanges(this.#local, packet.bytes, packet.destinationOffset, packet.addressLength))
      return this.#drop('not-local')
    return this.#admits(packet, answersOnly || this.#shieldsUp) ? 'accept' : this.#drop('no-rule')
  }

  #admits(packet: IpPacket, answersOnly: boolean): boolean {
    const { protocol } = packet
    if (isIcmp(protocol)) return isIcmpAnswer(packet) || (!answersOnly && rulesJoin(this.#rules, packet))
    if (protocol === PROTOCOL_TSMP) return true
    if (protocol === PROTOCOL_TCP && (!opensTcp(packet) || this.#isPeerApi(packet))) return true
    if (isTracked(protocol) && this.#flows.knowsAnswer(packet)) return true
    return !answersOnly && rulesAcceptPacket(this.#rules, packet)
  }

  #isPeerApi({ version, destinationPort }: IpPacket): boolean {
    const port = version === 4 ? this.#peerApiPort4 : this.#peerApiPort6
    return port !== 0 && destinationPort === port
  }

  #drop(reason: FilterDropReason): FilterVerdict {
    this.#drops[reason] += 1
    return reason
  }
}

function preCheck(packet: IpPacket): FilterDropReason | undefined {
  if (!packet.known || isForeignIcmp(packet)) return 'malformed'
  if (isMulticast(packet)) return 'multicast'
  return isLinkLocal(packet) ? 'link-local' : undefined
}

/** ICMP of one family inside the other has no meaning. */
function isForeignIcmp({ protocol, version }: IpPacket): boolean {
  return protocol === (version === 4 ? PROTOCOL_ICMPV6 : PROTOCOL_ICMP)
}

function isMulticast({ bytes, destinationOffset, version }: IpPacket): boolean {
  const first = bytes[destinationOffset] as number
  return version === 4 ? first >> 4 === 0xe : first === 0xff
}

/** Link-local, but for the cloud metadata address 169.254.169.254. */
function isLinkLocal({ bytes, destinationOffset: at, version }: IpPacket): boolean {
  if (version === 6) return bytes[at] === 0xfe && ((bytes[at + 1] as number) & 0xc0) === 0x80
  return bytes[at] === 169 && bytes[at + 1] === 254 && !(bytes[at + 2] === 169 && bytes[at + 3] === 254)
}

function isIcmp(protocol: number): boolean {
  return protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6
}

function isIcmpAnswer({ version, icmpType }: IpPacket): boolean {
  return (version === 4 ? ICMP_ANSWERS : ICMPV6_ANSWERS).has(icmpType)
}

function opensTcp({ tcpFlags }: IpPacket): boolean {
  return (tcpFlags & (TCP_SYN | TCP_ACK)) === TCP_SYN
}

/** Tells whether flows of the protocol are remembered. */
function isTracked(protocol: number): boolean {
  return protocol === PROTOCOL_UDP || protocol === PROTOCOL_SCTP
}
