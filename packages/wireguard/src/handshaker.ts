// What is said in a handshake, in both roles (data-plane.md 1.2, 1.4): messages are made, proven and opened here.
// When something is said, and what follows from it, is for the machine that calls this.
import {
  type Crypto,
  hasMac1,
  KEY_LENGTH,
  type MacKeys,
  mac1Of,
  macKeysOf,
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
import {
  MESSAGE_COOKIE_REPLY,
  MESSAGE_RESPONSE,
  MESSAGE_TRANSPORT,
  receiverIndex,
} from '@mesh/wire/wireguard'
import { INITIATION_INTERVAL } from './constants.ts'
import type { HandshakeDropReason } from './output.ts'
import type { Peer } from './peer.ts'
import type { PeerDirectory } from './peer-directory.ts'
import { encodeMoment, isLater, type Tai64nClock } from './tai64n.ts'

/** What a {@link Handshaker} is made of. */
export interface HandshakerOptions {
  readonly privateKey: Uint8Array
  readonly crypto: Crypto
  readonly random: RandomSource
  readonly timestamps: Tai64nClock
  readonly peers: PeerDirectory
}

/** A session that a handshake has made. */
export interface MadeSession {
  readonly peer: Peer
  readonly localIndex: number
  readonly keys: WireGuardKeys
}

/** Makes and reads handshake messages. Where it refuses one, it says why and has changed nothing. */
export class Handshaker {
  readonly #identity: WireGuardIdentity
  readonly #macKeys: MacKeys
  readonly #random: RandomSource
  readonly #timestamps: Tai64nClock
  readonly #peers: PeerDirectory

  constructor(options: HandshakerOptions) {
    const { crypto } = options
    const staticPrivate = Uint8Array.from(options.privateKey)
    const staticPublic = crypto.x25519Public(staticPrivate)
    this.#identity = { crypto, staticPrivate, staticPublic }
    this.#macKeys = macKeysOf(crypto, staticPublic)
    this.#random = options.random
    this.#timestamps = options.timestamps
    this.#peers = options.peers
  }

  get identity(): WireGuardIdentity {
    return this.#identity
  }

  /** Tells whether an initiation or a response was meant for our key. */
  isForUs(message: Uint8Array): boolean {
    return hasMac1(this.#identity.crypto, this.#macKeys, message)
  }

  /** Begins a handshake in place of any before it; `undefined` with a peer nothing can be agreed with. */
  initiate(peer: Peer, now: number): Uint8Array | undefined {
    const { staticShared } = peer
    if (staticShared === undefined) return undefined
    this.forgetPending(peer)
    const ephemeralPrivate = this.#random(KEY_LENGTH)
    const senderIndex = this.#peers.newIndex(peer)
    peer.lastMoment = this.#timestamps.after(peer.lastMoment)
    const initiation = wireguardInitiate({
      ...this.#identity,
      ...presharedKeyOf(peer),
      remoteStatic: peer.config.publicKey,
      staticShared,
      ephemeralPrivate,
      timestamp: encodeMoment(peer.lastMoment),
      senderIndex,
    })
    peer.pending = initiation && { localIndex: senderIndex, initiation, ephemeralPrivate }
    if (initiation !== undefined) return this.#withMacs(peer, initiation.message, now)
    this.#peers.freeIndex(senderIndex)
    return undefined
  }

  /** The peer whose pending handshake a response, by its receiver index, answers. */
  awaiting(response: Uint8Array): Peer | undefined {
    const index = receiverIndex(response, MESSAGE_RESPONSE)
    const peer = this.#peers.withIndex(index)
    return peer?.pending?.localIndex === index ? peer : undefined
  }

  /** Reads a response. A forged one leaves the handshake pending: the true one may still come. */
  finish(response: Uint8Array): MadeSession | HandshakeDropReason {
    const peer = this.awaiting(response)
    if (peer?.pending === undefined) return 'unknown-index'
    const { localIndex, initiation, ephemeralPrivate } = peer.pending
    const keys = initiation.readResponse(response)
    if (keys === undefined) return 'bad-handshake'
    ephemeralPrivate.fill(0)
    peer.pending = undefined // but the index lives on, as the session's
    return { peer, localIndex, keys }
  }

  /** Reads an initiation, and answers it when it proves a peer's key and is newer than any before (W4). */
  answer(
    initiation: Uint8Array,
    now: number,
  ): (MadeSession & { response: Uint8Array }) | HandshakeDropReason {
    const acceptance = wireguardAccept(this.#identity, initiation)
    if (acceptance === undefined) return 'bad-handshake'
    const peer = this.#peers.withKey(acceptance.remoteStatic)
    const staticShared = peer?.staticShared
    if (peer === undefined || staticShared === undefined) return 'unknown-peer'
    const timestamp = acceptance.openTimestamp(staticShared)
    if (timestamp === undefined) return 'bad-handshake'
    if (peer.greatestTimestamp && !isLater(timestamp, peer.greatestTimestamp)) return 'replayed'
    if (now - peer.lastAcceptedAt <= INITIATION_INTERVAL) return 'too-soon'
    peer.greatestTimestamp = timestamp
    peer.lastAcceptedAt = now
    return this.#respond(peer, acceptance, now)
  }

  /** Keeps a cookie for the next retry, or says why not. It makes nothing be sent (W15). */
  takeCookie(message: Uint8Array, now: number): HandshakeDropReason | undefined {
    const peer = this.#peers.withIndex(receiverIndex(message, MESSAGE_COOKIE_REPLY))
    if (peer?.lastMac1 === undefined) return 'unknown-index'
    const cookie = openCookieReply(this.#identity.crypto, peer.macKeys, peer.lastMac1, message)
    if (cookie === undefined) return 'bad-handshake'
    peer.setCookie(cookie, now)
    return undefined
  }

  /** Returns the cookie reply to an initiation or a response. */
  cookieReply(message: Uint8Array, cookie: Uint8Array): Uint8Array {
    return sealCookieReply(this.#identity.crypto, this.#macKeys, {
      receiverIndex: receiverIndex(message, MESSAGE_TRANSPORT), // the sender index stands in that place
      mac1: mac1Of(message),
      cookie,
      nonce: this.#random(XNONCE_LENGTH),
    })
  }

  /** Forgets a handshake that was not answered. */
  forgetPending(peer: Peer): void {
    if (peer.pending === undefined) return
    this.#peers.freeIndex(peer.pending.localIndex)
    peer.pending.ephemeralPrivate.fill(0)
    peer.pending = undefined
  }

  #respond(
    peer: Peer,
    acceptance: WireGuardAcceptance,
    now: number,
  ): (MadeSession & { response: Uint8Array }) | HandshakeDropReason {
    const ephemeralPrivate = this.#random(KEY_LENGTH)
    const localIndex = this.#peers.newIndex(peer)
    const made = acceptance.respond({ ephemeralPrivate, senderIndex: localIndex, ...presharedKeyOf(peer) })
    ephemeralPrivate.fill(0)
    if (made !== undefined) {
      return { peer, localIndex, keys: made.keys, response: this.#withMacs(peer, made.message, now) }
    }
    this.#peers.freeIndex(localIndex)
    return 'bad-handshake'
  }

  #withMacs(peer: Peer, message: Uint8Array, now: number): Uint8Array {
    const { crypto } = this.#identity
    peer.lastMac1 = writeMac1(crypto, peer.macKeys, message).slice()
    const cookie = peer.cookieAt(now)
    if (cookie !== undefined) writeMac2(crypto, cookie, message)
    return message
  }
}

function presharedKeyOf(peer: Peer): { presharedKey?: Uint8Array } {
  const { presharedKey } = peer.config
  return presharedKey === undefined ? {} : { presharedKey }
}
