// Disco as a conversation: pings and their pongs, calls and what they set off, and the rules of who is believed
// (data-plane.md sections 4.3 and 4.4). Every message in is authenticated by its box before anything happens.
import type { RandomSource } from '@mesh/sansio'
import type {
  AllocateRequest,
  AllocateResponse,
  CallMeMaybe,
  CallMeMaybeVia,
  DiscoMessage,
  DoorsAccept,
  DoorsOffer,
  Ping,
  Pong,
} from '@mesh/wire/disco'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { DiscoDirectory, DiscoIdentity } from './disco-directory.ts'
import type { DropReason } from './drops.ts'
import type { Hop } from './hop.ts'
import type { PingResult } from './output.ts'
import type { PeerId } from './peer-config.ts'
import type { Peer } from './peer.ts'
import {
  isGuess,
  PING_PACKET_LENGTH,
  type PingErrand,
  type SentPing,
  SentPings,
  TX_ID_LENGTH,
  txIdText,
} from './pings.ts'

/** A packet that came through a relay. */
export interface RelayOrigin {
  /** Through which region. */
  readonly region: number
  /** From whom, as the relay vouches. */
  readonly peer: Peer
}

/** Where a disco packet came from. */
export type Origin = Hop | RelayOrigin

/** The messages that lead to other ways than pings find: tunnels on peer relays, doors. All come through a relay. */
export type OtherWaysMessage = CallMeMaybeVia | AllocateRequest | AllocateResponse | DoorsOffer | DoorsAccept

/** What the conversation needs of the machine it belongs to. */
export interface ConversationHost {
  /** Sends disco by UDP, through the tunnel when the hop has one. */
  transmit(to: Hop, packet: Uint8Array): void
  /** Sends a packet to a peer through a region. */
  transmitRelay(region: number, peer: Peer, bytes: Uint8Array, now: number): void
  /** Returns the region through which a peer is reached, opening it when needed; 0 for none. */
  relayFor(peer: Peer, now: number): number
  /** Finds a peer by node key. */
  peerByKey(nodeKey: Uint8Array): Peer | undefined
  /** Notes that a UDP source belongs to a peer. */
  noteSource(from: Hop, peer: PeerId): void
  /** Takes a message about other ways from the peer whose key sealed it and whom the relay names. */
  handleOtherWays(message: OtherWaysMessage, peer: Peer, now: number): void
  /** Hears that a ping has come out of a tunnel; it is answered already. */
  noteTunnelPing(from: Hop, now: number): void
  /** Hears that a ping for the sake of a tunnel has been answered. */
  noteTunnelPong(ping: SentPing, now: number): void
  /** Hears how a ping that somebody asked for ended; perhaps more than once. */
  noteResult(asked: number, result: PingResult): void
  /** Hears where a peer, at this address, says that a ping came from that left by our usual socket. */
  noteSeen(peer: PeerId, observer: IpAddress, seen: Endpoint, now: number): void
  /** Counts a dropped packet. */
  drop(reason: DropReason): void
}

/** In place of an IP address, how disco writes "you came through this relay region": 127.3.3.40 and the region. */
const DERP_MAGIC_ADDRESS = Uint8Array.of(127, 3, 3, 40)
/** Bytes of a pong packet. A shorter ping is not answered over UDP: no answer larger than the question (threat 32). */
const PONG_PACKET_LENGTH = 110

/** Speaks disco. */
export class Conversation {
  readonly #directory: DiscoDirectory
  readonly #nodeKey: Uint8Array
  readonly #random: RandomSource
  readonly #host: ConversationHost
  readonly #pings = new SentPings()

  constructor(directory: DiscoDirectory, nodeKey: Uint8Array, random: RandomSource, host: ConversationHost) {
    this.#directory = directory
    this.#nodeKey = nodeKey
    this.#random = random
    this.#host = host
  }

  /** Sends a ping to an address, through a tunnel or through a region, and remembers it. */
  sendPing(peer: Peer, to: Hop | number, errand: PingErrand, now: number): void {
    if (peer.disco === undefined) return
    const txId = this.#random(TX_ID_LENGTH)
    const padding = Math.max(0, errand.size - PING_PACKET_LENGTH)
    const packet = this.#directory.seal(peer.disco, { kind: 'ping', txId, nodeKey: this.#nodeKey, padding })
    if (packet === undefined) return
    this.#pings.add(txIdText(txId), { ...errand, peer, to, at: now })
    if (!isGuess(errand)) peer.ledger.note('ping-sent', to, now)
    if (typeof to === 'number') this.#host.transmitRelay(to, peer, packet, now)
    else this.#host.transmit(to, packet)
  }

  /** Tells a peer, through its relay, where to ping us. */
  sendCallMeMaybe(peer: Peer, endpoints: readonly Endpoint[], now: number): void {
    const region = this.tell(peer, { kind: 'call-me-maybe', endpoints }, now)
    if (region !== 0) peer.ledger.note('call-sent', region, now)
  }

  /** Sends a message to a peer through its relay. Returns the region; 0 when there is no way. */
  tell(peer: Peer, message: DiscoMessage, now: number): number {
    const region = this.#host.relayFor(peer, now)
    if (region === 0 || peer.disco === undefined) return 0
    const packet = this.#directory.seal(peer.disco, message)
    if (packet === undefined) return 0
    this.#host.transmitRelay(region, peer, packet, now)
    return region
  }

  /** Forgets the pings to a peer. */
  forgetPeer(peer: Peer): void {
    this.#pings.forgetPeer(peer)
  }

  /** Takes a disco packet. */
  handlePacket(packet: Uint8Array, origin: Origin, now: number): void {
    const opened = this.#directory.open(packet)
    if (typeof opened === 'string') return this.#host.drop(opened)
    const { sender, message } = opened
    if (isRelayed(origin) && origin.peer.disco !== sender) return this.#host.drop('disco-unattributed')
    switch (message.kind) {
      case 'ping':
        return this.#handlePing(message, sender, packet.length, origin, now)
      case 'pong':
        return this.#handlePong(message, sender, origin, now)
      case 'call-me-maybe':
        return this.#handleCallMeMaybe(message, origin, now)
      case 'call-me-maybe-via':
      case 'allocate-request':
      case 'allocate-response':
      case 'doors-offer':
      case 'doors-accept':
        if (!isRelayed(origin)) return this.#host.drop('disco-not-by-relay')
        return this.#host.handleOtherWays(message, origin.peer, now)
      default:
        return this.#host.drop('disco-unsupported')
    }
  }

  /** Gives up the pings whose time is over. */
  handleTimeout(now: number): void {
    for (let ping = this.#pings.takeExpired(now); ping !== undefined; ping = this.#pings.takeExpired(now)) {
      if (isGuess(ping)) continue
      ping.peer.ledger.note('ping-unanswered', ping.to, now)
      ping.peer.handlePingTimeout(ping, now)
      if (ping.asked !== 0) this.#host.noteResult(ping.asked, { ok: false, reason: 'timeout' })
    }
  }

  /** Returns when the next ping is given up. */
  pollTimeout(): number {
    return this.#pings.nextExpiry()
  }

  #handlePing(ping: Ping, sender: DiscoIdentity, length: number, origin: Origin, now: number): void {
    if (isRelayed(origin)) return this.#pongByRelay(ping, origin, now)
    if (length < PONG_PACKET_LENGTH) return this.#host.drop('disco-short-ping')
    if (origin.vni !== undefined) return this.#pongByTunnel(ping, sender, origin, now)
    const peer = this.#whoPinged(ping, sender)
    // Several nodes of one machine and no telling which: the address is good for all of them.
    const perhaps = peer === undefined ? sender.peers : [peer]
    let isNew = false
    for (const each of perhaps) isNew = each.notePing(origin, txIdText(ping.txId), now) || isNew
    if (!isNew) return this.#host.drop('disco-repeated-ping')
    if (peer !== undefined) this.#host.noteSource(origin, peer.id)
    for (const each of perhaps) {
      each.noteTraffic(now)
      each.ledger.note('ping-heard', origin, now)
    }
    const pong = this.#directory.seal(sender, { kind: 'pong', txId: ping.txId, source: origin })
    if (pong !== undefined) this.#host.transmit(origin, pong)
  }

  #pongByRelay(ping: Ping, { region, peer }: RelayOrigin, now: number): void {
    peer.ledger.note('ping-heard', region, now)
    const source: Endpoint = { address: DERP_MAGIC_ADDRESS, port: region & 0xffff }
    const pong = this.#directory.seal(peer.disco!, { kind: 'pong', txId: ping.txId, source })
    if (pong !== undefined) this.#host.transmitRelay(region, peer, pong, now)
  }

  /** Always answered: the other side may be a moment ahead of us. A tunnel makes no candidate, nor vouches for one. */
  #pongByTunnel(ping: Ping, sender: DiscoIdentity, origin: Hop, now: number): void {
    this.#whoPinged(ping, sender)?.ledger.note('ping-heard', origin, now)
    const pong = this.#directory.seal(sender, { kind: 'pong', txId: ping.txId, source: origin })
    if (pong !== undefined) this.#host.transmit(origin, pong)
    this.#host.noteTunnelPing(origin, now)
  }

  /** The claimed node, if it has this disco key; else the only node that has it; else nobody can tell. */
  #whoPinged(ping: Ping, sender: DiscoIdentity): Peer | undefined {
    const claimed = ping.nodeKey === undefined ? undefined : this.#host.peerByKey(ping.nodeKey)
    if (claimed !== undefined && claimed.disco === sender) return claimed
    return sender.peers.size === 1 ? [...sender.peers][0] : undefined
  }

  #handlePong(pong: Pong, sender: DiscoIdentity, origin: Origin, now: number): void {
    const txId = txIdText(pong.txId)
    const ping = this.#pings.get(txId)
    if (ping === undefined || ping.peer.disco !== sender) return this.#host.drop('disco-unknown-pong')
    if (isRelayed(origin)) {
      if (typeof ping.to !== 'number') return this.#host.drop('disco-unknown-pong')
      this.#pings.delete(txId)
      ping.peer.ledger.note('pong-heard', ping.to, now)
      return this.#answer(ping, { ok: true, latency: now - ping.at, region: ping.to })
    }
    if (typeof ping.to === 'number' || ping.to.vni !== origin.vni)
      return this.#host.drop('disco-unknown-pong')
    this.#pings.delete(txId)
    if (ping.purpose === 'tunnel') return this.#host.noteTunnelPong(ping, now)
    if (!ping.peer.handlePong(ping, ping.to, now)) return this.#host.drop('disco-unknown-pong')
    ping.peer.ledger.note('pong-heard', ping.to, now)
    if (origin.vni === undefined) this.#host.noteSource(origin, ping.peer.id)
    if (origin.vni === undefined && origin.door === undefined)
      this.#host.noteSeen(ping.peer.id, origin.address, pong.source, now)
    const { vni } = ping.to
    const through = vni === undefined ? {} : { vni }
    this.#answer(ping, { ok: true, latency: now - ping.at, endpoint: ping.to, ...through })
  }

  #answer(ping: SentPing, result: PingResult): void {
    if (ping.asked !== 0) this.#host.noteResult(ping.asked, result)
  }

  #handleCallMeMaybe(call: CallMeMaybe, origin: Origin, now: number): void {
    if (!isRelayed(origin)) return this.#host.drop('disco-not-by-relay')
    origin.peer.ledger.note('call-heard', origin.region, now)
    if (!origin.peer.handleCallMeMaybe(call.endpoints, now)) this.#host.drop('disco-too-often')
  }
}

function isRelayed(origin: Origin): origin is RelayOrigin {
  return 'region' in origin
}
