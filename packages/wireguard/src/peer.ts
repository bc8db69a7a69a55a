// A peer as the control side holds it: its handshakes, its timers, what it proved last.
import { type Crypto, type MacKeys, macKeysOf, type WireGuardInitiation } from '@mesh/noise'
import { COOKIE_REFRESH_TIME } from './constants.ts'
import type { PeerConfig } from './peer-config.ts'
import { PeerTimers } from './timers.ts'

/** A handshake of ours that waits for its response. */
export interface PendingHandshake {
  /** The index the response will name. */
  readonly localIndex: number
  /** What we said. */
  readonly initiation: WireGuardInitiation
  /** The key made for it alone, to be wiped. */
  readonly ephemeralPrivate: Uint8Array
}

/** One peer. Costly things are made when first needed, so that thousands of idle peers cost next to nothing. */
export class Peer {
  config: PeerConfig
  readonly timers: PeerTimers = new PeerTimers()
  pending: PendingHandshake | undefined
  /** Initiations sent again since the present attempt began. */
  attempts = 0
  lastHandshakeSentAt: number = -Infinity
  lastHandshakeAt: number | undefined
  /** The session made last, for as long as the data plane has it; a peer's own is used once the peer was heard with it. */
  newest: { readonly localIndex: number; readonly madeAt: number; isUsed: boolean } | undefined
  lastAcceptedAt: number = -Infinity
  /** The moment that the last initiation to it named. */
  lastMoment = -1
  /** The greatest timestamp it ever proved: kept when its keys are wiped, or an old initiation would pass (W4). */
  greatestTimestamp: Uint8Array | undefined
  /** MAC1 of the last message sent to it, without which a cookie reply does not open. */
  lastMac1: Uint8Array | undefined
  readonly #crypto: Crypto
  readonly #staticPrivate: Uint8Array
  #macKeys: MacKeys | undefined
  #staticShared: Uint8Array | undefined
  #cookie: Uint8Array | undefined
  #cookieUntil = -Infinity

  constructor(crypto: Crypto, staticPrivate: Uint8Array, config: PeerConfig) {
    this.#crypto = crypto
    this.#staticPrivate = staticPrivate
    this.config = config
  }

  /** The keys that follow from its public key. */
  get macKeys(): MacKeys {
    this.#macKeys ??= macKeysOf(this.#crypto, this.config.publicKey)
    return this.#macKeys
  }

  /** The secret of its static key and ours; `undefined` when its key is of low order, and it can never be talked to. */
  get staticShared(): Uint8Array | undefined {
    this.#staticShared ??= this.#crypto.x25519(this.#staticPrivate, this.config.publicKey)
    return this.#staticShared
  }

  /** Remembers a cookie; it goes into the retries of the next two minutes. */
  setCookie(cookie: Uint8Array, now: number): void {
    this.#cookie = cookie
    this.#cookieUntil = now + COOKIE_REFRESH_TIME
  }

  /** The cookie to use now, if there is one. */
  cookieAt(now: number): Uint8Array | undefined {
    return now < this.#cookieUntil ? this.#cookie : undefined
  }

  /** Wipes what could tell of past or pending sessions. */
  wipe(): void {
    this.pending?.ephemeralPrivate.fill(0)
    this.pending = undefined
    this.newest = undefined
    this.#staticShared?.fill(0)
    this.#staticShared = undefined
    this.#cookie = undefined
    this.#cookieUntil = -Infinity
    this.lastMac1 = undefined
  }
}
