// The clock of a gateway that answers NAT-PMP or PCP: seconds since it last knew nothing. One that does not go as ours
// does has begun anew, and with it the gateway, which has forgotten our mapping.

/** Tells whether so many seconds may have passed at the gateway while so many did here. */
export type EpochRule = (theirs: number, ours: number) => boolean

/** RFC 6886 section 3.6: it must not go much slower than ours. */
export const NAT_PMP_EPOCH: EpochRule = (theirs, ours) => theirs >= ours * (7 / 8) - 2

/** RFC 6887 section 8.5: nor much faster, as with another gateway in the place of the one before. */
export const PCP_EPOCH: EpochRule = (theirs, ours) =>
  theirs >= -1 && ours + 2 >= theirs * (15 / 16) && theirs + 2 >= ours * (15 / 16)

/** Watches one clock. */
export class EpochWatch {
  readonly #isPlausible: EpochRule
  #epoch = 0
  #at = -Infinity

  constructor(isPlausible: EpochRule) {
    this.#isPlausible = isPlausible
  }

  /** Takes the epoch of an answer. Returns whether the gateway has lost its state since the one before. */
  note(epoch: number, now: number): boolean {
    const isFirst = this.#at === -Infinity
    const lost = !isFirst && !this.#isPlausible(epoch - this.#epoch, (now - this.#at) / 1_000)
    this.#epoch = epoch
    this.#at = now
    return lost
  }

  /** Forgets: it is another gateway. */
  forget(): void {
    this.#at = -Infinity
  }
}
