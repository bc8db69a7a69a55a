// The control side of WireGuard: it shakes hands in both roles and keeps the timers (data-plane.md 1.2 to 1.5). What
// is done for each packet is the data plane's; the two speak through `handleActivity` one way and outputs the other.
import { type Crypto, KEY_LENGTH, nobleCrypto, type RandomSource } from '@mesh/noise'
import type { Machine } from '@mesh/sansio'
import {
  MESSAGE_COOKIE_REPLY,
  MESSAGE_INITIATION,
  MESSAGE_RESPONSE,
  MESSAGE_TRANSPORT,
  messageType,
} from '@mesh/wire/wireguard'
import {
  KEEPALIVE_TIMEOUT,
  MAX_PEERS,
  MAX_TIMER_HANDSHAKES,
  REKEY_TIMEOUT,
  REKEY_TIMEOUT_JITTER,
  ZERO_KEY_MATERIAL,
} from './constants.ts'
import { ACTIVITY } from './data-plane.ts'
import { Doorkeeper } from './doorkeeper.ts'
import { HandshakeQueue } from './handshake-queue.ts'
import { Handshaker, type MadeSession } from './handshaker.ts'
import type { HandshakeDropReason, WireGuardOutput } from './output.ts'
import type { PeerId } from './packet-batch.ts'
import type { Peer } from './peer.ts'
import type { PeerConfig, PeerSessionStatus } from './peer-config.ts'
import { PeerDirectory } from './peer-directory.ts'
import { Tai64nClock } from './tai64n.ts'

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
  readonly #crypto: Crypto
  readonly #random: RandomSource
  readonly #peers: PeerDirectory
  #handshaker: Handshaker
  readonly #timestamps: Tai64nClock
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
    this.#crypto = options.crypto ?? nobleCrypto
    this.#random = options.random
    this.#peers = new PeerDirectory(options.random)
    this.#timestamps = new Tai64nClock(options.wallClock)
    this.#handshaker = this.#handshakerFor(options.privateKey)
    this.#doorkeeper = new Doorkeeper(this.#crypto, options.random)
  }

  /** Own public key, 32 bytes. */
  get publicKey(): Uint8Array {
    return this.#handshaker.identity.staticPublic
  }

  /** Handshake messages dropped, by reason. */
  get drops(): Readonly<Record<HandshakeDropReason, number>> {
    return this.#drops
  }

  /**
   * Sets who the peers are. Those that stay keep their sessions; those that are gone, or come with another key, are
   * forgotten first. A peer with our own key is left out; of several with one number the last counts.
   *
   * @throws RangeError for more than 65,536 of them.
   */
  setPeers(configs: readonly PeerConfig[], now: number): void {
    if (configs.length > MAX_PEERS) throw new RangeError(`peers: ${configs.length}, at most ${MAX_PEERS}`)
    const wanted = new Map(configs.map((config) => [config.id, config]))
    for (const peer of this.#peers.all()) {
      const config = wanted.get(peer.config.id)
      if (config === undefined || !sameBytes(config.publicKey, peer.config.publicKey)) this.#remove(peer)
    }
    for (const config of wanted.values()) {
      if (sameBytes(config.publicKey, this.publicKey)) continue
      const peer = this.#peers.put(this.#crypto, this.#handshaker.identity.staticPrivate, config)
      if (!config.keepalive) peer.timers.persistentAt = Infinity
      else if (peer.timers.persistentAt === Infinity) peer.timers.persistentAt = now
      this.#wake(peer)
    }
  }

  /**
   * Sets another own private key, 32 bytes, which is copied, and forgets all peers.
   *
   * @throws RangeError when it is not 32 bytes.
   */
  setPrivateKey(privateKey: Uint8Array): void {
    const next = this.#handshakerFor(privateKey)
    for (const peer of this.#peers.all()) this.#remove(peer)
    this.#handshaker.identity.staticPrivate.fill(0)
    this.#handshaker = next
  }

  /** Forgets a peer's sessions and its handshake: it has restarted and knows them no more (data-plane.md 1.8). */
  resetPeer(id: PeerId): void {
    const peer = this.#peers.get(id)
    if (peer !== undefined) this.#reset(peer)
  }

  /** Forgets all sessions and handshakes. */
  resetPeers(): void {
    for (const peer of this.#peers.all()) this.#reset(peer)
  }

  #reset(peer: Peer): void {
    this.#endSessions(peer)
    peer.lastHandshakeSentAt = -Infinity
  }

  /**
   * Takes a datagram of type 1, 2 or 3. It is copied when it must wait.
   *
   * @param source - A number the owner knows the sender's address by, given back in `reply` and `handshake-source`
   * until the next input. A message that had to wait has no source any more.
   * @param name - Bytes that name that address, two bytes of port before it: a cookie is good for them alone, and its host
   * is limited as one. Without a name only the load of all senders together counts.
   */
  handleDatagram(datagram: Uint8Array, source: number, name: Uint8Array | undefined, now: number): void {
    const type = messageType(datagram)
    if (type === undefined || type === MESSAGE_TRANSPORT) return this.#drop('malformed')
    if (type === MESSAGE_COOKIE_REPLY) return this.#note(this.#handshaker.takeCookie(datagram, now))
    if (!this.#handshaker.isForUs(datagram)) return this.#drop('bad-mac1')
    const stray = type === MESSAGE_RESPONSE && this.#handshaker.awaiting(datagram) === undefined
    if (stray) return this.#drop('unknown-index')
    const admission = this.#doorkeeper.admit(datagram, name, this.#queue.waiting, now)
    if (admission === 'cookie') return this.#sendCookie(datagram, source, name, now)
    if (admission === 'drop' || !this.#queue.push(datagram, source)) return this.#drop('overload')
    this.#workOff(now)
    this.#queue.forgetSource()
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
    const wantsSession = (activity & (ACTIVITY.needSession | ACTIVITY.rekey)) !== 0
    if (wantsSession && !hasYoungSession(peer, now)) this.#initiate(peer, false, now)
    this.#wake(peer)
  }

  /** Begins a handshake with a peer, however young its session is, as soon as five seconds lie between it and what was said last. */
  startHandshake(id: PeerId, now: number): void {
    const peer = this.#peers.get(id)
    if (peer === undefined) return
    this.#initiate(peer, false, now)
    this.#wake(peer)
  }

  /** Takes note that the data plane has dropped a session: its index is free again. */
  handleSessionEnd(localIndex: number): void {
    const peer = this.#peers.withIndex(localIndex)
    if (peer?.newest?.localIndex === localIndex) peer.newest = undefined
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
    this.#handshaker.identity.staticPrivate.fill(0)
    this.#wakeAt = Infinity
  }

  #handshakerFor(privateKey: Uint8Array): Handshaker {
    if (privateKey.length !== KEY_LENGTH) throw new RangeError('privateKey: must be 32 bytes')
    return new Handshaker({
      privateKey,
      crypto: this.#crypto,
      random: this.#random,
      timestamps: this.#timestamps,
      peers: this.#peers,
    })
  }

  // What is said.

  /** Begins a handshake, or says it again. Five seconds lie between any two messages to a peer (W5). */
  #initiate(peer: Peer, again: boolean, now: number): void {
    if (!again) peer.attempts = 0
    const earliest = peer.lastHandshakeSentAt + REKEY_TIMEOUT
    if (now < earliest) {
      if (peer.timers.retransmitAt === Infinity) peer.timers.retransmitAt = earliest
      return
    }
    const initiation = this.#handshaker.initiate(peer, now)
    if (initiation === undefined) return
    this.#transmit(peer, initiation, now)
    peer.timers.retransmitAt = now + REKEY_TIMEOUT + this.#jitter()
  }

  #takeInitiation(message: Uint8Array, source: number, now: number): void {
    const made = this.#handshaker.answer(message, now)
    if (typeof made === 'string') return this.#drop(made)
    this.#beginSession(made, false, source, now)
    this.#transmit(made.peer, made.response, now)
  }

  #takeResponse(message: Uint8Array, source: number, now: number): void {
    const made = this.#handshaker.finish(message)
    if (typeof made === 'string') return this.#drop(made)
    this.#beginSession(made, true, source, now)
    this.#complete(made.peer, true, now)
  }

  #sendCookie(message: Uint8Array, source: number, name: Uint8Array | undefined, now: number): void {
    const cookie = this.#doorkeeper.cookie(name, now)
    this.#out.push({ kind: 'reply', source, datagram: this.#handshaker.cookieReply(message, cookie) })
    this.#drop('cookie-sent')
  }

  #workOff(now: number): void {
    for (let next = this.#queue.take(now); next !== undefined; next = this.#queue.take(now)) {
      const { message, source } = next
      if (message[0] === MESSAGE_INITIATION) this.#takeInitiation(message, source, now)
      else this.#takeResponse(message, source, now)
    }
  }

  #transmit(peer: Peer, datagram: Uint8Array, now: number): void {
    peer.lastHandshakeSentAt = now
    peer.timers.sent()
    traversed(peer, now)
    this.#out.push({ kind: 'transmit', peer: peer.config.id, datagram })
    this.#wake(peer)
  }

  // What follows from it, and what is due.

  #beginSession(made: MadeSession, initiator: boolean, source: number, now: number): void {
    const { peer, localIndex } = made
    const { send: sendKey, receive: receiveKey, remoteIndex } = made.keys
    const { id } = peer.config
    const session = { localIndex, remoteIndex, sendKey, receiveKey, initiator, createdAt: now }
    if (source >= 0) this.#out.push({ kind: 'handshake-source', peer: id, source })
    this.#out.push({ kind: 'session', peer: id, session })
    peer.newest = { localIndex, madeAt: now, isUsed: initiator }
    peer.timers.received()
    peer.timers.sessionBegan(now)
    traversed(peer, now)
    this.#wake(peer)
  }

  /** A handshake is complete: for the initiator with the response, for the responder with the first packet. */
  #complete(peer: Peer, initiator: boolean, now: number): void {
    peer.timers.retransmitAt = Infinity
    peer.attempts = 0
    peer.lastHandshakeAt = now
    if (peer.newest !== undefined) peer.newest.isUsed = true
    this.#out.push({ kind: 'event', event: 'established', peer: peer.config.id, initiator })
  }

  #fire(peer: Peer, now: number): void {
    const { timers } = peer
    if (timers.zeroKeysAt <= now) this.#zeroKeys(peer)
    if (timers.retransmitAt <= now) this.#retransmit(peer, now)
    if (timers.newHandshakeAt <= now) {
      timers.newHandshakeAt = Infinity
      this.#initiate(peer, false, now)
    }
    if (timers.keepaliveAt <= now) {
      timers.keepaliveAt = Infinity
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

  /** A handshake that is under way goes on: when it ends, however it does, the time until the next wiping begins anew. */
  #zeroKeys(peer: Peer): void {
    if (peer.timers.retransmitAt === Infinity) return this.#endSessions(peer)
    peer.timers.zeroKeysAt = Infinity
    this.#out.push({ kind: 'end-sessions', peer: peer.config.id })
  }

  #endSessions(peer: Peer): void {
    this.#handshaker.forgetPending(peer)
    peer.wipe()
    peer.timers.stop()
    this.#out.push({ kind: 'end-sessions', peer: peer.config.id })
  }

  #remove(peer: Peer): void {
    this.#endSessions(peer)
    this.#out.push({ kind: 'drop-staged', peer: peer.config.id })
    this.#peers.remove(peer)
  }

  #jitter(): number {
    const [high = 0, low = 0] = this.#random(2)
    return ((high << 8) | low) % (REKEY_TIMEOUT_JITTER + 1)
  }

  #wake(peer: Peer): void {
    this.#wakeAt = Math.min(this.#wakeAt, peer.timers.nextAt)
  }

  #note(dropped: HandshakeDropReason | undefined): void {
    if (dropped !== undefined) this.#drop(dropped)
  }

  #drop(reason: HandshakeDropReason): void {
    this.#drops[reason] += 1
  }
}

/**
 * Whether there is a session so young that whoever asks for one asked before hearing of it: a data plane may be a thread away,
 * and says at once that it has lost one.
 */
function hasYoungSession({ newest }: Peer, now: number): boolean {
  return newest?.isUsed === true && now - newest.madeAt < REKEY_TIMEOUT
}

/** Anything authentic went either way: the persistent keepalive, where there is one, begins to wait anew. */
function traversed(peer: Peer, now: number): void {
  if (peer.config.keepalive) peer.timers.persistentAt = now + peer.config.keepalive
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
