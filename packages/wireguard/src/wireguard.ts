// The control side of WireGuard: it shakes hands in both roles and keeps the timers (data-plane.md 1.2 to 1.5). What
// is done for each packet is the data plane's; the two speak through `handleActivity` one way and outputs the other.
import {
  type Crypto,
  hasMac1,
  KEY_LENGTH,
  type MacKeys,
  mac1Of,
  macKeysOf,
  nobleCrypto,
  openCookieReply,
  type RandomSource,
  sealCookieReply,
  type WireGuardAcceptance,
  type WireGuardIdentity,
  type WireGuardKeys,
  wireguardAccept,
  wireguardInitiate,
  writeMac1,
  writeMac2,
  XNONCE_LENGTH,
} from '@mesh/noise'
import type { Machine } from '@mesh/sansio'
import {
  MESSAGE_COOKIE_REPLY,
  MESSAGE_INITIATION,
  MESSAGE_RESPONSE,
  MESSAGE_TRANSPORT,
  messageType,
  receiverIndex,
} from '@mesh/wire/wireguard'
import {
  INITIATION_INTERVAL,
  KEEPALIVE_TIMEOUT,
  MAX_TIMER_HANDSHAKES,
  REKEY_TIMEOUT,
  REKEY_TIMEOUT_JITTER,
  ZERO_KEY_MATERIAL,
} from './constants.ts'
import { ACTIVITY } from './data-plane.ts'
import { Doorkeeper } from './doorkeeper.ts'
import { HandshakeQueue } from './handshake-queue.ts'
import type { WireGuardOutput } from './output.ts'
import type { PeerId } from './packet-batch.ts'
import type { Peer } from './peer.ts'
import type { PeerConfig, PeerSessionStatus } from './peer-config.ts'
import { PeerDirectory } from './peer-directory.ts'
import { isLater, Tai64nClock } from './tai64n.ts'

/** Why a handshake message was dropped. Counted, never answered. */
export type HandshakeDropReason =
  /** Not a handshake message, or of the wrong length. */
  | 'malformed'
  /** MAC1 is wrong: it was not meant for this key. */
  | 'bad-mac1'
  /** It answers nothing we said. */
  | 'unknown-index'
  /** It does not open. */
  | 'bad-handshake'
  /** It opens, but the key in it is no peer's. */
  | 'unknown-peer'
  /** Its timestamp is not greater than the last one of that peer (W4). */
  | 'replayed'
  /** It comes 20 ms or less after the last one of that peer (W4). */
  | 'too-soon'
  /** There are more than can be worked on. */
  | 'overload'
  /** A cookie was asked for instead (W15). */
  | 'cookie-sent'

/** What a {@link WireGuard} machine is made of. */
export interface WireGuardOptions {
  /** Own static private key, 32 bytes. Copied. */
  readonly privateKey: Uint8Array
  /** Random bytes, fit for keys. */
  readonly random: RandomSource
  /** Wall time in milliseconds since 1970, for the timestamps of initiations. */
  readonly wallClock: () => number
  /** The primitives; `nobleCrypto` when left out. */
  readonly crypto?: Crypto
}

/** Handshakes and timers of all peers. Sessions come out of it; a data plane uses them. */
export class WireGuard implements Machine<WireGuardOutput> {
  readonly #identity: WireGuardIdentity
  readonly #macKeys: MacKeys
  readonly #random: RandomSource
  readonly #timestamps: Tai64nClock
  readonly #peers: PeerDirectory
  readonly #doorkeeper: Doorkeeper
  readonly #queue = new HandshakeQueue()
  readonly #out: WireGuardOutput[] = []
  readonly #drops: Record<HandshakeDropReason, number> = {
    malformed: 0,
    'bad-mac1': 0,
    'unknown-index': 0,
    'bad-handshake': 0,
    'unknown-peer': 0,
    replayed: 0,
    'too-soon': 0,
    overload: 0,
    'cookie-sent': 0,
  }
  /** No peer's timer is due before this. It may be early, never late. */
  #wakeAt = Infinity

  /** @throws RangeError when the private key is not 32 bytes. */
  constructor(options: WireGuardOptions) {
    if (options.privateKey.length !== KEY_LENGTH) throw new RangeError('privateKey: must be 32 bytes')
    const crypto = options.crypto ?? nobleCrypto
    const staticPrivate = Uint8Array.from(options.privateKey)
    const staticPublic = crypto.x25519Public(staticPrivate)
    this.#identity = { crypto, staticPrivate, staticPublic }
    this.#macKeys = macKeysOf(crypto, staticPublic)
    this.#random = options.random
    this.#timestamps = new Tai64nClock(options.wallClock)
    this.#peers = new PeerDirectory(options.random)
    this.#doorkeeper = new Doorkeeper(crypto, options.random)
  }

  /** Own public key, 32 bytes. */
  get publicKey(): Uint8Array {
    return this.#identity.staticPublic
  }

  /** Handshake messages dropped, by reason. */
  get drops(): Readonly<Record<HandshakeDropReason, number>> {
    return this.#drops
  }

  /**
   * Sets who the peers are. Those that stay keep their sessions; those that are gone, or come with another key, are
   * forgotten first. A peer with our own key is left out.
   */
  setPeers(configs: readonly PeerConfig[], now: number): void {
    const wanted = new Map(configs.map((config) => [config.id, config]))
    for (const peer of this.#peers.all()) {
      const config = wanted.get(peer.config.id)
      if (config === undefined || !sameBytes(config.publicKey, peer.config.publicKey)) this.#remove(peer)
    }
    for (const config of configs) {
      if (sameBytes(config.publicKey, this.publicKey)) continue
      const peer = this.#peers.put(this.#identity.crypto, this.#identity.staticPrivate, config)
      if (!config.keepalive) peer.timers.persistentAt = Infinity
      else if (peer.timers.persistentAt === Infinity) peer.timers.persistentAt = now
      this.#wake(peer)
    }
  }

  /** Forgets a peer's sessions and its handshake: it has restarted and knows them no more (data-plane.md 1.8). */
  resetPeer(id: PeerId): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    this.#endSessions(peer)
    peer.lastHandshakeSentAt = -Infinity
  }

  /**
   * Takes a datagram of type 1, 2 or 3. It is copied when it must wait.
   *
   * @param source - A number the owner knows the sender's address by, given back in `reply` and `handshake-source`.
   * @param name - Bytes that name that address, port included: a cookie is good for them alone. Without a name only
   * the load of all senders together counts.
   */
  handleDatagram(datagram: Uint8Array, source: number, name: Uint8Array | undefined, now: number): void {
    const type = messageType(datagram)
    if (type === undefined || type === MESSAGE_TRANSPORT) return this.#drop('malformed')
    if (type === MESSAGE_COOKIE_REPLY) return this.#takeCookie(datagram, now)
    if (!hasMac1(this.#identity.crypto, this.#macKeys, datagram)) return this.#drop('bad-mac1')
    if (type === MESSAGE_RESPONSE && this.#awaiting(datagram) === undefined)
      return this.#drop('unknown-index')
    const admission = this.#doorkeeper.admit(datagram, name, this.#queue.waiting, now)
    if (admission === 'cookie') return this.#sendCookie(datagram, source, name, now)
    if (admission === 'drop' || !this.#queue.push(datagram, source)) return this.#drop('overload')
    this.#workOff(now)
  }

  /** Takes what the data plane says of a peer: bits of {@link ACTIVITY}. */
  handleActivity(id: PeerId, activity: number, now: number): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    const { timers } = peer
    if (activity & ACTIVITY.established) this.#complete(peer, false, now)
    if (activity & ACTIVITY.received) timers.received()
    if (activity & ACTIVITY.sent) timers.sent()
    if (activity & ACTIVITY.sentData && timers.newHandshakeAt === Infinity) {
      timers.sentData(now + KEEPALIVE_TIMEOUT + REKEY_TIMEOUT + this.#jitter())
    }
    if (activity & ACTIVITY.receivedData) timers.receivedData(now)
    if (activity & (ACTIVITY.sent | ACTIVITY.received)) traversed(peer, now)
    if (activity & (ACTIVITY.needSession | ACTIVITY.rekey)) this.#initiate(peer, false, now)
    this.#wake(peer)
  }

  /** Takes note that the data plane has dropped a session: its index is free again. */
  handleSessionEnd(localIndex: number): void {
    this.#peers.freeIndex(localIndex)
  }

  /** Does what is due. Harmless when called early. */
  handleTimeout(now: number): void {
    this.#workOff(now)
    if (now < this.#wakeAt) return
    this.#wakeAt = Infinity
    for (const peer of this.#peers.all()) {
      if (peer.timers.nextAt <= now) this.#fire(peer, now)
      this.#wake(peer)
    }
  }

  /** Returns the next thing to do, or `undefined` when drained. */
  poll(): WireGuardOutput | undefined {
    return this.#out.shift()
  }

  /** Returns when to call {@link WireGuard.handleTimeout}; `Infinity` means never. */
  pollTimeout(): number {
    return Math.min(this.#wakeAt, this.#queue.nextAt)
  }

  /** Returns what is known of a peer's handshakes; `undefined` for one it does not know. */
  status(id: PeerId): PeerSessionStatus | undefined {
    const peer = this.#peers.get(id)
    if (peer === undefined) return undefined
    const { lastHandshakeAt, attempts } = peer
    return { lastHandshakeAt, handshaking: peer.timers.retransmitAt !== Infinity, attempts }
  }

  /** Forgets all peers and wipes all keys, our own too. The machine is of no use after this. */
  close(): void {
    for (const peer of this.#peers.all()) this.#remove(peer)
    this.#identity.staticPrivate.fill(0)
    this.#wakeAt = Infinity
  }

  // As initiator.

  /** Begins a handshake, or says it again. Five seconds lie between any two messages to a peer (W5). */
  #initiate(peer: Peer, again: boolean, now: number): void {
    if (!again) peer.attempts = 0
    const earliest = peer.lastHandshakeSentAt + REKEY_TIMEOUT
    if (now < earliest) {
      if (peer.timers.retransmitAt === Infinity) peer.timers.retransmitAt = earliest
      return
    }
    const { staticShared } = peer
    if (staticShared === undefined) return
    this.#forgetPending(peer)
    const ephemeralPrivate = this.#random(KEY_LENGTH)
    const senderIndex = this.#peers.newIndex(peer)
    const initiation = wireguardInitiate({
      ...this.#identity,
      ...presharedKeyOf(peer),
      remoteStatic: peer.config.publicKey,
      staticShared,
      ephemeralPrivate,
      timestamp: this.#timestamps.next(),
      senderIndex,
    })
    if (initiation === undefined) return this.#peers.freeIndex(senderIndex)
    peer.pending = { localIndex: senderIndex, initiation, ephemeralPrivate }
    this.#transmit(peer, initiation.message, now)
    peer.timers.retransmitAt = now + REKEY_TIMEOUT + this.#jitter()
  }

  #takeResponse(message: Uint8Array, source: number, now: number): void {
    const peer = this.#awaiting(message)
    if (peer?.pending === undefined) return this.#drop('unknown-index')
    const { localIndex, initiation, ephemeralPrivate } = peer.pending
    const keys = initiation.readResponse(message)
    if (keys === undefined) return this.#drop('bad-handshake') // the true one may still come
    ephemeralPrivate.fill(0)
    peer.pending = undefined // but the index lives on, as the session's
    this.#out.push({ kind: 'handshake-source', peer: peer.config.id, source })
    peer.timers.received()
    this.#beginSession(peer, localIndex, keys, true, now)
    this.#complete(peer, true, now)
  }

  /** The peer that a response, by its receiver index, answers. */
  #awaiting(message: Uint8Array): Peer | undefined {
    const index = receiverIndex(message, MESSAGE_RESPONSE)
    const peer = this.#peers.withIndex(index)
    return peer?.pending?.localIndex === index ? peer : undefined
  }

  /** A received cookie is for the next retry; it makes nothing be sent (W15). */
  #takeCookie(message: Uint8Array, now: number): void {
    const peer = this.#peers.withIndex(receiverIndex(message, MESSAGE_COOKIE_REPLY))
    if (peer?.lastMac1 === undefined) return this.#drop('unknown-index')
    const cookie = openCookieReply(this.#identity.crypto, peer.macKeys, peer.lastMac1, message)
    if (cookie === undefined) return this.#drop('bad-handshake')
    peer.setCookie(cookie, now)
  }

  // As responder.

  #takeInitiation(message: Uint8Array, source: number, now: number): void {
    const acceptance = wireguardAccept(this.#identity, message)
    if (acceptance === undefined) return this.#drop('bad-handshake')
    const peer = this.#peers.withKey(acceptance.remoteStatic)
    const staticShared = peer?.staticShared
    if (peer === undefined || staticShared === undefined) return this.#drop('unknown-peer')
    const timestamp = acceptance.openTimestamp(staticShared)
    if (timestamp === undefined) return this.#drop('bad-handshake')
    if (peer.greatestTimestamp && !isLater(timestamp, peer.greatestTimestamp)) return this.#drop('replayed')
    if (now - peer.lastAcceptedAt <= INITIATION_INTERVAL) return this.#drop('too-soon')
    peer.greatestTimestamp = timestamp
    peer.lastAcceptedAt = now
    this.#respond(peer, acceptance, source, now)
  }

  #respond(peer: Peer, acceptance: WireGuardAcceptance, source: number, now: number): void {
    const ephemeralPrivate = this.#random(KEY_LENGTH)
    const senderIndex = this.#peers.newIndex(peer)
    const response = acceptance.respond({ ephemeralPrivate, senderIndex, ...presharedKeyOf(peer) })
    ephemeralPrivate.fill(0)
    if (response === undefined) {
      this.#peers.freeIndex(senderIndex)
      return this.#drop('bad-handshake')
    }
    this.#out.push({ kind: 'handshake-source', peer: peer.config.id, source })
    peer.timers.received()
    this.#beginSession(peer, senderIndex, response.keys, false, now)
    this.#transmit(peer, response.message, now)
  }

  #sendCookie(message: Uint8Array, source: number, name: Uint8Array | undefined, now: number): void {
    this.#drop('cookie-sent')
    const datagram = sealCookieReply(this.#identity.crypto, this.#macKeys, {
      receiverIndex: receiverIndex(message, MESSAGE_TRANSPORT), // the sender index stands in the same place
      mac1: mac1Of(message),
      cookie: this.#doorkeeper.cookie(name, now),
      nonce: this.#random(XNONCE_LENGTH),
    })
    this.#out.push({ kind: 'reply', source, datagram })
  }

  #workOff(now: number): void {
    for (let next = this.#queue.take(now); next !== undefined; next = this.#queue.take(now)) {
      const { message, source } = next
      if (message[0] === MESSAGE_INITIATION) this.#takeInitiation(message, source, now)
      else this.#takeResponse(message, source, now)
    }
  }

  // In both roles.

  #transmit(peer: Peer, message: Uint8Array, now: number): void {
    const { crypto } = this.#identity
    peer.lastMac1 = writeMac1(crypto, peer.macKeys, message).slice()
    const cookie = peer.cookieAt(now)
    if (cookie !== undefined) writeMac2(crypto, cookie, message)
    peer.lastHandshakeSentAt = now
    peer.timers.sent()
    traversed(peer, now)
    this.#out.push({ kind: 'transmit', peer: peer.config.id, datagram: message })
    this.#wake(peer)
  }

  #beginSession(peer: Peer, localIndex: number, keys: WireGuardKeys, initiator: boolean, now: number): void {
    const { send: sendKey, receive: receiveKey, remoteIndex } = keys
    const session = { localIndex, remoteIndex, sendKey, receiveKey, initiator, createdAt: now }
    this.#out.push({ kind: 'session', peer: peer.config.id, session })
    peer.timers.sessionBegan(now)
    this.#wake(peer)
  }

  /** A handshake is complete: for the initiator with the response, for the responder with the first packet. */
  #complete(peer: Peer, initiator: boolean, now: number): void {
    peer.timers.retransmitAt = Infinity
    peer.attempts = 0
    peer.lastHandshakeAt = now
    this.#out.push({ kind: 'event', event: 'established', peer: peer.config.id, initiator })
  }

  #fire(peer: Peer, now: number): void {
    const { timers } = peer
    if (timers.zeroKeysAt <= now) this.#endSessions(peer)
    if (timers.retransmitAt <= now) this.#retransmit(peer, now)
    if (timers.newHandshakeAt <= now) {
      timers.newHandshakeAt = Infinity
      this.#initiate(peer, false, now)
    }
    if (timers.keepaliveAt <= now) {
      timers.keepaliveFired(now)
      this.#out.push({ kind: 'keepalive', peer: peer.config.id })
    }
    if (timers.persistentAt <= now) {
      timers.persistentAt = now + (peer.config.keepalive ?? Infinity)
      this.#out.push({ kind: 'keepalive', peer: peer.config.id })
    }
  }

  #retransmit(peer: Peer, now: number): void {
    peer.timers.retransmitAt = Infinity
    if (peer.attempts > MAX_TIMER_HANDSHAKES) return this.#giveUp(peer, now)
    peer.attempts += 1
    this.#initiate(peer, true, now)
  }

  #giveUp(peer: Peer, now: number): void {
    peer.timers.keepaliveAt = Infinity
    if (peer.timers.zeroKeysAt === Infinity) peer.timers.zeroKeysAt = now + ZERO_KEY_MATERIAL
    this.#out.push({ kind: 'drop-staged', peer: peer.config.id })
    this.#out.push({ kind: 'event', event: 'handshake-failed', peer: peer.config.id })
  }

  #endSessions(peer: Peer): void {
    this.#forgetPending(peer)
    peer.wipe()
    peer.timers.stop()
    this.#out.push({ kind: 'end-sessions', peer: peer.config.id })
  }

  #remove(peer: Peer): void {
    this.#endSessions(peer)
    this.#peers.remove(peer)
  }

  #forgetPending(peer: Peer): void {
    if (peer.pending === undefined) return
    this.#peers.freeIndex(peer.pending.localIndex)
    peer.pending.ephemeralPrivate.fill(0)
    peer.pending = undefined
  }

  #jitter(): number {
    const [high = 0, low = 0] = this.#random(2)
    return ((high << 8) | low) % (REKEY_TIMEOUT_JITTER + 1)
  }

  #wake(peer: Peer): void {
    this.#wakeAt = Math.min(this.#wakeAt, peer.timers.nextAt)
  }

  #drop(reason: HandshakeDropReason): void {
    this.#drops[reason] += 1
  }
}

function presharedKeyOf(peer: Peer): { presharedKey?: Uint8Array } {
  const { presharedKey } = peer.config
  return presharedKey === undefined ? {} : { presharedKey }
}

/** Anything authentic went either way: the persistent keepalive, where there is one, begins to wait anew. */
function traversed(peer: Peer, now: number): void {
  if (peer.config.keepalive) peer.timers.persistentAt = now + peer.config.keepalive
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
