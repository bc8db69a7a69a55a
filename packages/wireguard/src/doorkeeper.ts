// Who may have a handshake message worked on (data-plane.md 1.4). Working on one costs four agreements, and anyone
// can make them be sent; so under load a sender must first show, by a cookie, that it receives where it sends from.
// A host that sends too much counts as under load by itself, so that one flooder does not cost the others a cookie.
// Responses do not count there: each was asked for, and many peers behind one NAT may answer at the same moment.
import { type Crypto, cookieFor, hasMac2, KEY_LENGTH, MAC_LENGTH, type RandomSource } from '@mesh/noise'
import { MESSAGE_RESPONSE } from '@mesh/wire/wireguard'
import { COOKIE_REFRESH_TIME, UNDER_LOAD_QUEUE, UNDER_LOAD_TIME } from './constants.ts'
import { HostLimits } from './host-limits.ts'

const NAMELESS = new Uint8Array(0)

/** What becomes of a message: `work` on it, send its sender a `cookie`, or `drop` it. */
export type Admission = 'work' | 'cookie' | 'drop'

/** Judges handshake messages whose MAC1 is right. */
export class Doorkeeper {
  readonly #crypto: Crypto
  readonly #random: RandomSource
  /** Anybody can use up what a host may send without a cookie, by sending in its name. */
  readonly #claimed = new HostLimits()
  /** With a cookie only the host itself can. */
  readonly #proven = new HostLimits()
  #loadedUntil = -Infinity
  #secret: Uint8Array
  #secretUntil = -Infinity

  constructor(crypto: Crypto, random: RandomSource) {
    this.#crypto = crypto
    this.#random = random
    this.#secret = new Uint8Array(KEY_LENGTH)
  }

  /**
   * @param message - An initiation, or a response to a handshake of ours that waits for it.
   * @param source - Bytes that name where the message came from, port included (threat 23); `undefined` for nobody
   * in particular. A cookie is good for all of it, but a host has as many ports as it likes: limits go by host.
   * @param waiting - How many messages wait to be worked on.
   */
  admit(message: Uint8Array, source: Uint8Array | undefined, waiting: number, now: number): Admission {
    if (waiting >= UNDER_LOAD_QUEUE) this.#loadedUntil = now + UNDER_LOAD_TIME
    if (this.#isProven(message, source, now)) {
      return source === undefined || this.#proven.take(source, now) ? 'work' : 'drop'
    }
    const isLimited = source !== undefined && message[0] !== MESSAGE_RESPONSE
    const calm = !isLimited || this.#claimed.take(source, now)
    return calm && now >= this.#loadedUntil ? 'work' : 'cookie'
  }

  /** Returns the cookie of a source, 16 bytes. */
  cookie(source: Uint8Array | undefined, now: number): Uint8Array {
    if (now >= this.#secretUntil) {
      this.#secret = this.#random(KEY_LENGTH)
      this.#secretUntil = now + COOKIE_REFRESH_TIME
    }
    return cookieFor(this.#crypto, this.#secret, source ?? NAMELESS)
  }

  /** MAC2 is zeros, and costs no hash, wherever there is no cookie. */
  #isProven(message: Uint8Array, source: Uint8Array | undefined, now: number): boolean {
    if (message.subarray(-MAC_LENGTH).every((byte) => byte === 0)) return false
    return hasMac2(this.#crypto, this.cookie(source, now), message)
  }
}
