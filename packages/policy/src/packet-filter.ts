// The packet filter of one node: what comes in needs a rule or an outbound flow it answers; what goes out is noted.
// The order of the checks is that of data-plane §7.2 and §7.3. One filter a node; it allocates nothing per packet.

import type { FilterRule } from '@mesh/wire/control'
import { FlowTable } from './flow-table.ts'
import { PacketView } from './packet-view.ts'
import { inRanges, parseRules, rulesAcceptPacket, rulesJoin, toRanges } from './rules.ts'
import type { RuleSet } from './rules.ts'

/** Why the filter refused a packet. */
export type FilterDropReason = 'malformed' | 'multicast' | 'link-local' | 'not-local' | 'no-rule'

/** The filter's answer for one packet. */
export type FilterVerdict = 'accept' | FilterDropReason

const PROTOCOL_TCP = 6
const PROTOCOL_UDP = 17
const PROTOCOL_TSMP = 99
const PROTOCOL_SCTP = 132

/**
 * Decides which packets of the tunnel reach this node. Allows nothing inbound until rules and local prefixes are set,
 * but for what needs no rule: answers, established TCP and TSMP. State survives a change of rules (checklist F2).
 */
export class PacketFilter {
  readonly #view = new PacketView()
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

  /** Decides a packet that leaves this node, and remembers its flow so that the answer may come back. */
  fromOverlay(packet: Uint8Array): FilterVerdict {
    if (packet.length === 0) return 'accept'
    const view = this.#view
    const refused = this.#preCheck(packet)
    if (refused) return this.#drop(refused)
    if (!view.laterFragment && isTracked(view.protocol)) this.#flows.note(view.flowKey(packet, 'outbound'))
    return 'accept'
  }

  /** Decides a packet that came out of the tunnel for this node. */
  toOverlay(packet: Uint8Array): FilterVerdict {
    if (packet.length === 0) return 'accept'
    const view = this.#view
    const refused = this.#preCheck(packet)
    if (refused) return this.#drop(refused)
    if (view.laterFragment) return 'accept'
    if (!inRanges(this.#local, packet, view.destinationAt, view.addressLength)) return this.#drop('not-local')
    return this.#admits(packet) ? 'accept' : this.#drop('no-rule')
  }

  #preCheck(packet: Uint8Array): FilterDropReason | undefined {
    const view = this.#view
    if (!view.read(packet)) return 'malformed'
    if (view.isMulticast(packet)) return 'multicast'
    if (view.isLinkLocal(packet)) return 'link-local'
    return undefined
  }

  #admits(packet: Uint8Array): boolean {
    const view = this.#view
    if (view.isIcmp) return view.isIcmpAnswer || (!this.#shieldsUp && this.#joined(packet))
    if (view.protocol === PROTOCOL_TSMP) return true
    if (view.protocol === PROTOCOL_TCP && !view.opensTcp) return true
    if (view.protocol === PROTOCOL_TCP && this.#isPeerApi()) return true
    if (isTracked(view.protocol) && this.#flows.has(view.flowKey(packet, 'inbound'))) return true
    return !this.#shieldsUp && this.#ruled(packet)
  }

  #isPeerApi(): boolean {
    const port = this.#view.version === 4 ? this.#peerApiPort4 : this.#peerApiPort6
    return port !== 0 && this.#view.destinationPort === port
  }

  #joined(packet: Uint8Array): boolean {
    const { sourceAt, destinationAt, addressLength } = this.#view
    return rulesJoin(this.#rules, packet, sourceAt, destinationAt, addressLength)
  }

  #ruled(packet: Uint8Array): boolean {
    const { sourceAt, destinationAt, addressLength, protocol, destinationPort } = this.#view
    return rulesAcceptPacket(
      this.#rules,
      packet,
      sourceAt,
      destinationAt,
      addressLength,
      protocol,
      destinationPort,
    )
  }

  #drop(reason: FilterDropReason): FilterVerdict {
    this.#drops[reason] += 1
    return reason
  }
}

function isTracked(protocol: number): boolean {
  return protocol === PROTOCOL_UDP || protocol === PROTOCOL_SCTP
}
