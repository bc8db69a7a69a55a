// The first look at every packet, in both directions and before anything else: what goes on, what is dropped, and what
// only the control side can handle. The order of the steps is that of data-plane.md section 7.7. It stands where the packets
// are moved, in the engine or on a thread of its own, and allocates nothing for one.
import { PacketFilter } from '@mesh/policy'
import { ACCEPT, CHANGED, DROP, type PacketJudge, UP, type Verdict } from '@mesh/wireguard/arena'
import type { FilterRule } from '@mesh/wire/control'
import { type IpAddress, IpPacket, PROTOCOL_TCP, PROTOCOL_TSMP, TCP_ACK, TCP_SYN } from '@mesh/wire/ip'
import { type GateDrop, GateDrops } from './gate-drops.ts'
import { type Terms, TermsTable } from './peer-terms.ts'

/** What the gate goes by; only what is named changes. Fit to be sent to another thread. */
export interface GateSettings {
  /** The rules, as the map's `PacketFilter` gives them. */
  readonly rules?: readonly FilterRule[]
  /** What counts as this node to its peers: its addresses, as text with or without length. */
  readonly localPrefixes?: readonly string[]
  /** Destinations that the control side answers for: this node's own addresses and the service addresses. */
  readonly ownAddresses?: readonly IpAddress[]
  /** Whether the control side waits for an echo reply. */
  readonly expectsEchoes?: boolean
  /** The peers that know this node by another address, or may only answer. */
  readonly terms?: Terms
}

const ECHO_REPLY = 0
const ECHO_REPLY_V6 = 129

/** Judges packets: see {@link GateSettings}. Lets nothing in but what needs no rule until it has rules. */
export class PacketGate implements PacketJudge {
  /** Packets dropped here, by reason. */
  readonly drops: GateDrops
  readonly #filter = new PacketFilter()
  readonly #packet = new IpPacket()
  #own: readonly IpAddress[] = []
  #expectsEchoes = false
  #terms: TermsTable | undefined

  constructor(drops: GateDrops = new GateDrops()) {
    this.drops = drops
  }

  /** Takes new settings. */
  configure({ rules, localPrefixes, ownAddresses, expectsEchoes, terms }: GateSettings): void {
    if (localPrefixes) this.#filter.setLocalPrefixes(localPrefixes)
    if (rules) this.#filter.setRules(rules)
    if (ownAddresses) this.#own = ownAddresses
    if (expectsEchoes !== undefined) this.#expectsEchoes = expectsEchoes
    if (terms) this.#terms = TermsTable.of(terms)
  }

  /** Takes {@link GateSettings} from another thread. */
  handleMessage(message: unknown): void {
    this.configure(message as GateSettings)
  }

  /** Judges what the host sends. */
  fromOverlay(bytes: Uint8Array, at: number, length: number): Verdict {
    const packet = this.#packet
    if (!packet.read(bytes, at, length)) return this.#drop('malformed')
    // Only the daemon speaks TSMP; a program that forges it would speak in our name (checklist F6).
    if (packet.protocol === PROTOCOL_TSMP) return this.#drop('tsmp-from-host')
    if (this.#isOwn(packet)) return UP
    const verdict = this.#filter.fromOverlay(packet)
    return verdict === 'accept' ? ACCEPT : this.#drop(verdict)
  }

  /** Readies a packet, to be sealed, for a peer that knows this node by another address. */
  leave(bytes: Uint8Array, at: number, length: number): void {
    if (this.#terms && this.#packet.read(bytes, at, length)) this.#terms.leave(this.#packet)
  }

  /**
   * Judges what a peer sends, first giving it this node's own address where the peer knows another. What goes up is TSMP; an
   * echo reply that may be for us, and else the host's; and a TCP connection that was refused and is to be told so, instead of
   * being left to time out (checklist F4).
   */
  toOverlay(bytes: Uint8Array, at: number, length: number): Verdict | typeof CHANGED {
    const packet = this.#packet
    const terms = this.#terms
    if (!packet.read(bytes, at, length)) return this.#drop('malformed')
    const goesOn = terms?.arrive(packet) === true ? CHANGED : ACCEPT
    if (packet.protocol === PROTOCOL_TSMP && packet.known) return UP
    const verdict = this.#filter.toOverlay(packet, terms?.isJailed(packet))
    if (verdict === 'accept') return this.#expectsEchoes && isEchoReply(packet) ? UP : goesOn
    this.drops.add(verdict)
    return verdict === 'no-rule' && opensTcp(packet) ? UP : DROP
  }

  #isOwn(packet: IpPacket): boolean {
    for (const own of this.#own) if (packet.isFor(own)) return true
    return false
  }

  #drop(reason: GateDrop): typeof DROP {
    this.drops.add(reason)
    return DROP
  }
}

function isEchoReply({ version, icmpType }: IpPacket): boolean {
  return icmpType === (version === 4 ? ECHO_REPLY : ECHO_REPLY_V6)
}

/** TSMP has no word for a refusal of IPv6. */
function opensTcp({ version, protocol, tcpFlags }: IpPacket): boolean {
  return version === 4 && protocol === PROTOCOL_TCP && (tcpFlags & (TCP_SYN | TCP_ACK)) === TCP_SYN
}
