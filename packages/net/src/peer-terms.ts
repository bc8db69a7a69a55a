// The terms on which some peers are talked to: an address by which they know this node, or that they may only answer
// (data-plane.md sections 7.5 and 7.7). They are found by the remote address of a packet, among the prefixes of all peers.
import type { IpAddress, IpPacket, Prefix } from '@mesh/wire/ip'
import { PrefixTable } from '@mesh/wireguard'
import { Masquerade } from './masquerade.ts'

/** On which terms a peer is talked to. */
export interface PeerTerms {
  /** Its addresses. */
  readonly prefixes: readonly Prefix[]
  /** The addresses by which it knows this node, one of a family; none where it knows the node's own. */
  readonly shown: readonly IpAddress[]
  /** Whether it may only answer, whatever the rules. */
  readonly isJailed: boolean
}

/** The terms of all peers. Fit to be sent to another thread. */
export interface Terms {
  /** The node's own addresses, one of a family, that give way to others. */
  readonly own: readonly IpAddress[]
  /** All peers; none when there is nothing special with any of them. */
  readonly peers: readonly PeerTerms[]
}

/** No peer is special. */
export const NO_TERMS: Terms = { own: [], peers: [] }

/** Finds the terms of a packet's peer. Allocates nothing for one. */
export class TermsTable {
  readonly #peers = new PrefixTable()
  readonly #v4: (Masquerade | undefined)[] = []
  readonly #v6: (Masquerade | undefined)[] = []
  readonly #isJailed: boolean[] = []

  private constructor({ own, peers }: Terms) {
    for (const [index, { prefixes, shown, isJailed }] of peers.entries()) {
      for (const prefix of prefixes) this.#peers.insert(prefix, index)
      this.#v4.push(masqueradeOf(own, shown, 4))
      this.#v6.push(masqueradeOf(own, shown, 16))
      this.#isJailed.push(isJailed)
    }
  }

  /** Returns the table, or `undefined` when no peer is special, so that packets need not be looked up. */
  static of(terms: Terms): TermsTable | undefined {
    return terms.peers.length === 0 ? undefined : new TermsTable(terms)
  }

  /** Rewrites the source of a packet to a peer that knows this node by another address. */
  leave(packet: IpPacket): void {
    this.#masqueradeFor(packet, packet.destinationOffset)?.leave(packet)
  }

  /** Rewrites the destination of a packet from a peer that knows this node by another address; returns whether it has. */
  arrive(packet: IpPacket): boolean {
    return this.#masqueradeFor(packet, packet.sourceOffset)?.arrive(packet) === true
  }

  /** Tells whether the peer that a packet comes from may only answer. */
  isJailed(packet: IpPacket): boolean {
    return this.#isJailed[this.#find(packet, packet.sourceOffset)] === true
  }

  #masqueradeFor(packet: IpPacket, at: number): Masquerade | undefined {
    const index = this.#find(packet, at)
    return index < 0 ? undefined : (packet.version === 4 ? this.#v4 : this.#v6)[index]
  }

  #find(packet: IpPacket, at: number): number {
    return this.#peers.lookup(packet.bytes, at, packet.addressLength)
  }
}

function masqueradeOf(
  own: readonly IpAddress[],
  shown: readonly IpAddress[],
  length: number,
): Masquerade | undefined {
  const isOfFamily = (address: IpAddress): boolean => address.length === length
  const [from, to] = [own.find(isOfFamily), shown.find(isOfFamily)]
  return from && to && new Masquerade(from, to)
}
