// The account of one identity whose clients may be at several parts of a relay, each a thread of its own: it lies in memory that
// all of them see. One number changes, and it changes at once, so nobody waits for anybody: the moment at which the account
// will be full again (the generic cell rate algorithm, ATM Forum TM 4.1 section 4.4.2). What of it lies ahead is what was spent.
import type { ReceiveLimit } from './allowance.ts'
import { MIN_RECEIVE_BURST } from './constants.ts'

/** Byte offsets: the moment, milliseconds in 32 bits that wrap around; then bytes a second and the burst, doubles. */
const FULL_AT = 0
const LIMIT = 8
const LENGTH = LIMIT + 2 * 8

/** No debt is longer, milliseconds: what seems to be is an account that nobody used for weeks. */
const MAX_AHEAD = 86_400_000

/** The memory of an account. */
export type Ledger = SharedArrayBuffer

/** Returns a full account. `now` is in milliseconds of a clock that all threads share. */
export function openLedger(now: number): Ledger {
  const ledger = new SharedArrayBuffer(LENGTH)
  Atomics.store(new Int32Array(ledger, FULL_AT, 1), 0, Math.floor(now))
  return ledger
}

/** Sets the limit of an account, for all who use it. */
export function setLimit(ledger: Ledger, { bytesPerSecond, burst = 0 }: ReceiveLimit): void {
  new Float64Array(ledger, LIMIT, 2).set([bytesPerSecond, Math.max(burst, MIN_RECEIVE_BURST)])
}

/** One part's hand in an account. */
export class SharedAllowance {
  readonly #fullAt: Int32Array
  readonly #limit: Float64Array
  readonly #offset: number
  /** What was spent of the next millisecond. */
  #rest = 0

  /** @param offset - By how much the clock that all threads share is ahead of this part's, milliseconds. */
  constructor(ledger: Ledger, offset: number) {
    this.#fullAt = new Int32Array(ledger, FULL_AT, 1)
    this.#limit = new Float64Array(ledger, LIMIT, 2)
    this.#offset = offset
  }

  /** Takes what came; returns for how many milliseconds nothing more should be read, 0 for not at all. */
  spend(length: number, now: number): number {
    const [bytesPerSecond = 0, burst = 0] = this.#limit
    const cost = (length * 1000) / bytesPerSecond + this.#rest
    const whole = Math.floor(cost)
    this.#rest = cost - whole
    const ahead = this.#spend(whole, Math.floor(now + this.#offset) | 0)
    return Math.max(0, Math.ceil(ahead - (burst * 1000) / bytesPerSecond))
  }

  /** Returns by how much the account is full later than now. */
  #spend(milliseconds: number, now: number): number {
    for (;;) {
      const before = Atomics.load(this.#fullAt, 0)
      const ahead = (before - now) | 0
      const from = ahead > 0 && ahead <= MAX_AHEAD ? before : now
      const after = (from + milliseconds) | 0
      if (Atomics.compareExchange(this.#fullAt, 0, before, after) === before) return (after - now) | 0
    }
  }
}
