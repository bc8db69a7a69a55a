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

/** Gives timestamps that only ever grow, also when the wall clock is set back (W5, threat 25). */
export class Tai64nClock {
  readonly #wallClock: () => number
  #seconds = 0
  #steps = -1

  /** @param wallClock - Milliseconds since 1970. */
  constructor(wallClock: () => number) {
    this.#wallClock = wallClock
  }

  /** Returns the next timestamp, 12 bytes. */
  next(): Uint8Array {
    const now = this.#wallClock()
    const seconds = Math.floor(now / 1000)
    const steps = Math.floor(((now - seconds * 1000) * 1e6) / STEP)
    const later = seconds > this.#seconds || (seconds === this.#seconds && steps > this.#steps)
    if (later) this.#set(seconds, steps)
    else if (this.#steps + 1 < STEPS_PER_SECOND) this.#set(this.#seconds, this.#steps + 1)
    else this.#set(this.#seconds + 1, 0)
    return encodeTai64n(this.#seconds, this.#steps * STEP)
  }

  #set(seconds: number, steps: number): void {
    this.#seconds = seconds
    this.#steps = steps
  }
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
