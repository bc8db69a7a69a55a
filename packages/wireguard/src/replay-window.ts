// Which counters of a session were seen (RFC 6479): a ring of 8192 bits that moves with the highest counter. Counters
// are 64 bits wide and come as two halves; their differences are worked out in doubles, which is exact wherever the
// outcome depends on it (a difference too great to be exact is far beyond the window either way).
import { WINDOW_SIZE } from './constants.ts'

const WORDS = 256
const WORD_MASK = WORDS - 1
const TWO_32 = 0x1_0000_0000
/** Words in the ring per 2^32 counters. */
const WORDS_PER_HIGH = TWO_32 / 32

/** Accepts each counter once, and none that is more than 8128 behind the highest. */
export class ReplayWindow {
  readonly #ring = new Uint32Array(WORDS)
  #high = 0
  #low = 0

  /** Tells whether this counter is new, and remembers it. Call it only for what has been authenticated (W12). */
  accept(high: number, low: number): boolean {
    const ahead = (high - this.#high) * TWO_32 + (low - this.#low)
    if (ahead > 0) this.#advance(high, low)
    else if (-ahead > WINDOW_SIZE) return false
    const word = (low >>> 5) & WORD_MASK
    const bit = 1 << (low & 31)
    const seen = this.#ring[word] ?? 0
    this.#ring[word] = seen | bit
    return (seen & bit) === 0
  }

  #advance(high: number, low: number): void {
    const words = (high - this.#high) * WORDS_PER_HIGH + ((low >>> 5) - (this.#low >>> 5))
    const from = this.#low >>> 5
    for (let i = 1; i <= Math.min(words, WORDS); i += 1) this.#ring[(from + i) & WORD_MASK] = 0
    this.#high = high
    this.#low = low
  }
}
