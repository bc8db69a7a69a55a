// One session as the data plane holds it: two keys, the counter of what was sent, the window of what was received.
import {
  REJECT_AFTER_MESSAGES_HIGH,
  REJECT_AFTER_MESSAGES_LOW,
  REJECT_AFTER_TIME,
  REKEY_AFTER_MESSAGES_HIGH,
  REKEY_AFTER_TIME,
  REKEY_ON_RECEIVE,
} from './constants.ts'
import type { SessionKeys } from './data-plane.ts'
import type { PlanePeer } from './plane-peer.ts'
import { ReplayWindow } from './replay-window.ts'

/** A session of a peer. The counter is two halves of 32 bits: a double could not hold its limits. */
export class Session {
  readonly peer: PlanePeer
  readonly localIndex: number
  readonly remoteIndex: number
  readonly initiator: boolean
  readonly sendKey: Uint8Array
  readonly receiveKey: Uint8Array
  readonly window: ReplayWindow = new ReplayWindow()
  readonly #createdAt: number
  #askedOnReceive = false
  #wiped = false
  /** High half of the counter of the next packet. */
  counterHigh: number
  /** Low half of the counter of the next packet. */
  counterLow: number

  constructor(peer: PlanePeer, keys: SessionKeys, counterHigh = 0, counterLow = 0) {
    this.peer = peer
    this.localIndex = keys.localIndex
    this.remoteIndex = keys.remoteIndex
    this.initiator = keys.initiator
    this.sendKey = Uint8Array.from(keys.sendKey)
    this.receiveKey = Uint8Array.from(keys.receiveKey)
    this.#createdAt = keys.createdAt
    this.counterHigh = counterHigh
    this.counterLow = counterLow
  }

  /** Too old to send or to receive with. */
  isExpired(now: number): boolean {
    return now - this.#createdAt >= REJECT_AFTER_TIME
  }

  /** May seal one more packet. */
  canSend(now: number): boolean {
    return !this.isExpired(now) && !isBeyondLimit(this.counterHigh, this.counterLow)
  }

  /**
   * Makes the counter one that this many packets may be sealed with, from it on. Where nobody else seals with the same keys
   * it is that already.
   */
  claim(_count: number): void {
    // Nobody else does.
  }

  /** Moves on by some counters, of which there must be as many. */
  advance(count = 1): void {
    const low = (this.counterLow + count) >>> 0
    if (low < this.counterLow) this.counterHigh = (this.counterHigh + 1) >>> 0
    this.counterLow = low
  }

  /** After sending: whether its initiator should begin the next session. */
  wantsRekeyOnSend(now: number): boolean {
    if (this.initiator && now - this.#createdAt > REKEY_AFTER_TIME) return true
    if (this.counterHigh === REKEY_AFTER_MESSAGES_HIGH) return this.counterLow > 0
    return this.counterHigh > REKEY_AFTER_MESSAGES_HIGH
  }

  /** After receiving: the same, once in the life of a session. */
  wantsRekeyOnReceive(now: number): boolean {
    if (!this.initiator || this.#askedOnReceive || now - this.#createdAt <= REKEY_ON_RECEIVE) return false
    this.#askedOnReceive = true
    return true
  }

  /** Whether the keys are gone: whoever called out since choosing this session asks before using them. */
  get wiped(): boolean {
    return this.#wiped
  }

  /** Overwrites the keys. */
  wipe(): void {
    this.#wiped = true
    this.sendKey.fill(0)
    this.receiveKey.fill(0)
  }
}

/** Whether so few counters may be left (less than 2^32) that each must be looked at. */
export function isNearLimit(high: number): boolean {
  return high === REJECT_AFTER_MESSAGES_HIGH
}

/** Whether a counter is one that may be neither sent nor received: 2^64 - 2^13 - 1 or more. */
export function isBeyondLimit(high: number, low: number): boolean {
  return high === REJECT_AFTER_MESSAGES_HIGH && low >= REJECT_AFTER_MESSAGES_LOW
}
