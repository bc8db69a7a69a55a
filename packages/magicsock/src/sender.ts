// The way out for WireGuard datagrams: to a hop, with a peer relay's header in front where there is one, or through a
// relay region; and what went which way, counted.
import { encodeGeneveHeader, GENEVE_HEADER_LENGTH, GENEVE_WIREGUARD } from '@mesh/wire/geneve'
import type { Hop } from './hop.ts'
import type { Peer } from './peer.ts'
import type { Relays } from './relays.ts'
import { isRelaySource, type RelaySource } from './sources.ts'
import { countPacket } from './traffic.ts'
import type { Underlay } from './underlay.ts'

const MAX_DATAGRAM_LENGTH = 65_535

/** Sends. */
export class Sender {
  readonly #underlay: Underlay
  readonly #relays: Relays
  /** Where a datagram gets its tunnel's header; made at first need. */
  #tunnelled: Uint8Array | undefined

  constructor(underlay: Underlay, relays: Relays) {
    this.#underlay = underlay
    this.#relays = relays
  }

  /** Sends to a peer over its UDP path. */
  sendByPath(peer: Peer, to: Hop, datagram: Uint8Array): void {
    this.sendTo(to, datagram)
    if (to.vni === undefined) peer.countSent(datagram.length)
    else countPacket(peer.detours.sentPeerRelay, datagram.length)
  }

  /** Sends to a peer through a relay region. Returns false when there is none. */
  sendByRelay(peer: Peer, datagram: Uint8Array, now: number): boolean {
    const region = this.#relays.route(peer.id, peer.config.homeRelay, now)
    if (region === 0) return false
    this.#underlay.sendRelay(region, peer.config.nodeKey, datagram)
    countPacket(peer.detours.sentRelay, datagram.length)
    return true
  }

  /** Sends back to where something came from. */
  sendToSource(from: Hop | RelaySource, datagram: Uint8Array): void {
    if (isRelaySource(from)) this.#underlay.sendRelay(from.region, from.nodeKey, datagram)
    else this.sendTo(from, datagram)
  }

  /** Sends to a hop, and counts nothing. */
  sendTo(to: Hop, datagram: Uint8Array): void {
    if (to.vni === undefined) return this.#underlay.sendDatagram(to, datagram)
    const into = (this.#tunnelled ??= new Uint8Array(MAX_DATAGRAM_LENGTH))
    const length = GENEVE_HEADER_LENGTH + datagram.length
    if (length > into.length) return
    encodeGeneveHeader({ protocol: GENEVE_WIREGUARD, control: false, vni: to.vni }, into)
    into.set(datagram, GENEVE_HEADER_LENGTH)
    this.#underlay.sendDatagram(to, into.subarray(0, length))
  }
}
