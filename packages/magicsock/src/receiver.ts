// What comes, by UDP or through a relay: sorted by its first bytes, and WireGuard's attributed to a peer by where it came
// from. A claim, never a proof: WireGuard authenticates.
import { isDisco } from '@mesh/wire/disco'
import { GENEVE_HEADER_LENGTH, geneveVni, isGeneveControl } from '@mesh/wire/geneve'
import type { Endpoint } from '@mesh/wire/ip'
import type { DropReason } from './drops.ts'
import { classify } from './demux.ts'
import type { Hop } from './hop.ts'
import { type PeerId, UNKNOWN_PEER } from './peer-config.ts'
import type { Peer } from './peer.ts'
import type { PeerRows } from './peer-rows.ts'
import type { Sources } from './sources.ts'
import { countPacket } from './traffic.ts'

/** Tunnels remembered as objects for one address; beyond it the memory begins anew. */
const MAX_TUNNELS_PER_SOURCE = 64

/** Who takes what is not WireGuard's. */
export interface ReceiverHost {
  /** Takes disco. */
  handleDisco(packet: Uint8Array, from: Hop, now: number): void
  /** Takes disco of a peer that came through a relay region. */
  handleRelayedDisco(packet: Uint8Array, region: number, peer: Peer, now: number): void
  /** Takes disco of a peer relay; returns false when nobody waits for it. */
  handleControl(packet: Uint8Array, from: Hop, now: number): boolean
  /** Takes STUN; returns false when it answers nothing that was asked. */
  handleStun(bytes: Uint8Array, now: number): boolean
  /** Finds a peer. */
  peer(id: PeerId): Peer | undefined
  /** Counts a dropped packet. */
  drop(reason: DropReason): void
}

/** Sorts. */
export class Receiver {
  readonly #sources: Sources
  readonly #rows: PeerRows
  readonly #host: ReceiverHost
  readonly #tunnels = new WeakMap<Endpoint, Map<number, Hop>>()
  #headerLength = 0

  constructor(sources: Sources, rows: PeerRows, host: ReceiverHost) {
    this.#sources = sources
    this.#rows = rows
    this.#host = host
  }

  /** How many bytes of the datagram taken last stand before WireGuard's. */
  get headerLength(): number {
    return this.#headerLength
  }

  /** Takes a datagram. Returns whose WireGuard datagram it seems to be, or `'consumed'`. */
  handleDatagram(bytes: Uint8Array, from: Hop, now: number): PeerId | 'consumed' {
    this.#headerLength = 0
    if (bytes.length === 0) return this.#consume('empty')
    switch (classify(bytes)) {
      case 'wireguard':
        return this.#attribute(bytes.length, from, now)
      case 'disco':
        this.#host.handleDisco(bytes, from, now)
        return 'consumed'
      case 'stun':
        return this.#host.handleStun(bytes, now) ? 'consumed' : this.#consume('stun-unexpected')
      case 'geneve':
        return this.#fromTunnel(bytes, this.#through(from, geneveVni(bytes)), now)
    }
  }

  /** Takes what came through a relay region from a peer; `undefined` is one that nobody knows. */
  handleRelayed(bytes: Uint8Array, region: number, peer: Peer | undefined, now: number): PeerId | 'consumed' {
    if (bytes.length === 0) return this.#consume('empty')
    if (peer === undefined) return this.#consume('relay-unknown-sender')
    if (isDisco(bytes)) {
      this.#host.handleRelayedDisco(bytes, region, peer, now)
      return 'consumed'
    }
    this.#sources.noteTakenByRelay(peer.sourceBehind(region))
    countPacket(peer.detours.receivedRelay, bytes.length)
    return peer.id
  }

  #fromTunnel(bytes: Uint8Array, from: Hop, now: number): PeerId | 'consumed' {
    const payload = bytes.subarray(GENEVE_HEADER_LENGTH)
    if (isGeneveControl(bytes)) {
      const wasAwaited = isDisco(payload) && this.#host.handleControl(payload, from, now)
      return wasAwaited ? 'consumed' : this.#consume('geneve-unexpected')
    }
    if (isDisco(payload)) {
      this.#host.handleDisco(payload, from, now)
      return 'consumed'
    }
    this.#headerLength = GENEVE_HEADER_LENGTH
    return this.#attribute(payload.length, from, now)
  }

  #attribute(length: number, from: Hop, now: number): PeerId {
    const owner = this.#sources.noteTaken(from)
    if (owner === UNKNOWN_PEER) return owner
    if (from.vni === undefined && this.#rows.receiveStraight(owner, length, now)) return owner
    const peer = this.#host.peer(owner)
    if (peer !== undefined) this.#countWithCare(peer, length, from, now)
    return owner
  }

  /** Counts what came through a tunnel, or from a peer that asks for more than to be counted. */
  #countWithCare(peer: Peer, length: number, from: Hop, now: number): void {
    if (peer.config.isWireGuardOnly === true) peer.plain.noteReceived(from, now)
    if (from.vni === undefined) return peer.countReceived(length, now)
    peer.noteTraffic(now)
    countPacket(peer.detours.receivedPeerRelay, length)
  }

  /** Returns one object for one tunnel of one source, for as long as both are seen. */
  #through(from: Hop, vni: number): Hop {
    const known = this.#tunnels.get(from) ?? new Map<number, Hop>()
    this.#tunnels.set(from, known)
    let hop = known.get(vni)
    if (hop === undefined) {
      if (known.size >= MAX_TUNNELS_PER_SOURCE) known.clear()
      hop = { address: from.address, port: from.port, vni }
      known.set(vni, hop)
    }
    return hop
  }

  #consume(reason: DropReason): 'consumed' {
    this.#host.drop(reason)
    return 'consumed'
  }
}
