// The retransmission timeout (RFC 6298): from measured round trips, doubled each time it runs out.

/** Before anything was measured, in milliseconds. */
export const INITIAL_RTO = 1_000
/** The least; a peer may hold an acknowledgment back for 40 ms, and 200 is what Linux takes. */
export const MIN_RTO = 200
/** The most. */
export const MAX_RTO = 60_000

/** Learns how long an acknowledgment takes. */
export class RoundTrip {
  #smoothed = 0
  #variation = 0
  #rto = INITIAL_RTO
  #backoff = 0

  /** How long to wait now, in milliseconds. */
  get timeout(): number {
    return Math.min(MAX_RTO, this.#rto * 2 ** this.#backoff)
  }

  /** Takes a measured round trip of something sent only once (Karn). */
  measure(roundTrip: number): void {
    if (this.#smoothed === 0) {
      this.#smoothed = roundTrip
      this.#variation = roundTrip / 2
    } else {
      this.#variation += (Math.abs(this.#smoothed - roundTrip) - this.#variation) / 4
      this.#smoothed += (roundTrip - this.#smoothed) / 8
    }
    this.#rto = Math.min(MAX_RTO, Math.max(MIN_RTO, this.#smoothed + Math.max(1, 4 * this.#variation)))
  }

  /** The timeout ran out: wait twice as long. */
  backOff(): void {
    this.#backoff = Math.min(10, this.#backoff + 1)
  }

  /** Something new was acknowledged: no more doubling. */
  progress(): void {
    this.#backoff = 0
  }
}
