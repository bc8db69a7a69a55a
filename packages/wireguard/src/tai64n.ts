// The timestamps of initiations (data-plane.md 1.2): TAI64N with its low 24 bits of nanoseconds blanked, so that it
// tells no more of a clock than it must. A peer takes an initiation only when its timestamp is greater than any before.

/** Bytes in a timestamp. */
export const TAI64N_LENGTH = 12
const NANOSECONDS = 8
const EPOCH_HIGH = 0x4000_0000
const TAI_OFFSET = 10
const TWO_32 = 0x1_0000_0000
/** The whitening: steps of 2^24 nanoseconds, about 16.8 ms. */
const STEP = 0x100_0000
const STEPS_PER_SECOND = Math.ceil(1e9 / STEP)

/**
 * Numbers moments, in steps of 16.8 ms, so that the numbers for one peer only ever grow, also when the wall clock is set
 * back (W5, threat 25).
 *
 * Each peer counts for itself. Were one count to grow for all of them, a crowd greeted at once would push it ahead of the wall
 * clock, and after a restart nobody would believe a timestamp until the clock had caught up.
 */
export class Tai64nClock {
  readonly #wallClock: () => number
  #latest = 0

  /** @param wallClock - Milliseconds since 1970. */
  constructor(wallClock: () => number) {
    this.#wallClock = wallClock
  }

  /** Returns the number of the next moment for a peer whose last was `last`. */
  after(last: number): number {
    const now = this.#wallClock()
    const seconds = Math.floor(now / 1000)
    const present = seconds * STEPS_PER_SECOND + Math.floor(((now - seconds * 1000) * 1e6) / STEP)
    this.#latest = Math.max(this.#latest, present)
    return Math.max(this.#latest, last + 1)
  }
}

/** Returns the 12 bytes for a moment's number. */
export function encodeMoment(moment: number): Uint8Array {
  return encodeTai64n(Math.floor(moment / STEPS_PER_SECOND), (moment % STEPS_PER_SECOND) * STEP)
}

/** Returns the 12 bytes for a time since 1970. */
export function encodeTai64n(seconds: number, nanoseconds: number): Uint8Array {
  const bytes = new Uint8Array(TAI64N_LENGTH)
  const view = new DataView(bytes.buffer)
  const tai = seconds + TAI_OFFSET
  view.setUint32(0, EPOCH_HIGH + Math.floor(tai / TWO_32))
  view.setUint32(4, tai % TWO_32)
  view.setUint32(NANOSECONDS, nanoseconds & ~(STEP - 1))
  return bytes
}

/** Tells whether a timestamp is strictly greater than another: byte by byte, both from the wire. */
export function isLater(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < TAI64N_LENGTH; i += 1) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return false
}
