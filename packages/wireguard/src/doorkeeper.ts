// Who may have a handshake message worked on (data-plane.md 1.4). Working on one costs four agreements, and anyone
// can make them be sent; so under load a sender must first show, by a cookie, that it receives where it sends from.
// A source that sends too much counts as under load by itself, so that one flooder does not cost the others a cookie.
import { type Crypto, cookieFor, hasMac2, KEY_LENGTH, type RandomSource } from '@mesh/noise'
import { COOKIE_REFRESH_TIME, UNDER_LOAD_QUEUE, UNDER_LOAD_TIME } from './constants.ts'

/** Handshake messages a second from one host, and how many at once. */
const RATE = 20
const BURST = 5
/** Hosts remembered at a time; the oldest are forgotten, which costs an attacker as many addresses. */
const MAX_SOURCES = 4_096

/** Bytes in the parts of a name: a port, an address behind it. */
const PORT = 2
const ADDRESS_V4 = 4
const ADDRESS_V6 = 16
const NETWORK_V6 = 8

const NAMELESS = new Uint8Array(0)

interface Bucket {
  tokens: number
  at: number
}

/** What becomes of a message: `work` on it, send its sender a `cookie`, or `drop` it. */
export type Admission = 'work' | 'cookie' | 'drop'

/** Judges handshake messages whose MAC1 is right. */
export class Doorkeeper {
  readonly #crypto: Crypto
  readonly #random: RandomSource
  readonly #buckets = new Map<string, Bucket>()
  #loadedUntil = -Infinity
  #secret: Uint8Array
  #secretUntil = -Infinity

  constructor(crypto: Crypto, random: RandomSource) {
    this.#crypto = crypto
    this.#random = random
    this.#secret = new Uint8Array(KEY_LENGTH)
  }

  /**
   * @param source - Bytes that name where the message came from, port included (threat 23); `undefined` for nobody
   * in particular. A cookie is good for all of it, but a host has as many ports as it likes: limits go by host.
   * @param waiting - How many messages wait to be worked on.
   */
  admit(message: Uint8Array, source: Uint8Array | undefined, waiting: number, now: number): Admission {
    if (waiting >= UNDER_LOAD_QUEUE) this.#loadedUntil = now + UNDER_LOAD_TIME
    const calm = source === undefined || this.#takeToken(source, now)
    if (calm && now >= this.#loadedUntil) return 'work'
    if (!hasMac2(this.#crypto, this.cookie(source, now), message)) return 'cookie'
    return calm ? 'work' : 'drop'
  }

  /** Returns the cookie of a source, 16 bytes. */
  cookie(source: Uint8Array | undefined, now: number): Uint8Array {
    if (now >= this.#secretUntil) {
      this.#secret = this.#random(KEY_LENGTH)
      this.#secretUntil = now + COOKIE_REFRESH_TIME
    }
    return cookieFor(this.#crypto, this.#secret, source ?? NAMELESS)
  }

  #takeToken(source: Uint8Array, now: number): boolean {
    const name = String.fromCharCode(...hostOf(source))
    const bucket = this.#buckets.get(name) ?? { tokens: BURST, at: now }
    this.#buckets.delete(name) // and in again at the end: the map keeps the latest last
    this.#buckets.set(name, bucket)
    if (this.#buckets.size > MAX_SOURCES) this.#forgetOldest()
    bucket.tokens = Math.min(BURST, bucket.tokens + ((now - bucket.at) * RATE) / 1000)
    bucket.at = now
    if (bucket.tokens < 1) return false
    bucket.tokens -= 1
    return true
  }

  #forgetOldest(): void {
    for (const name of this.#buckets.keys()) {
      this.#buckets.delete(name)
      return
    }
  }
}

/** What of a name tells hosts apart: an IPv4 address, or the half of an IPv6 address that a network gives out; of others all. */
function hostOf(source: Uint8Array): Uint8Array {
  if (source.length === ADDRESS_V4 + PORT) return source.subarray(PORT)
  if (source.length === ADDRESS_V6 + PORT) return source.subarray(PORT, PORT + NETWORK_V6)
  return source
}
