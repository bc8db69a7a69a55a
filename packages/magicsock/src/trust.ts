// How long a path is believed in without a new sign of life, and what counts as one. A pong proves both directions; what
// comes from the peer proves one. Where heartbeats are not wanted (silent disco), the latter is enough for a while.

/** How long a path is believed in after its last sign of life. */
export const TRUST_UDP_ADDRESS = 6_500
/** A path that has shown no sign of life for so long is asked for one, if anybody uses it. */
export const HEARTBEAT_INTERVAL = 3_000
/**
 * With silent disco: for how long after its last pong a path is believed in for what comes from the peer alone. A firewall
 * that has begun to keep our packets from the peer would be believed in for ever otherwise.
 */
export const PROOF_LIFETIME = 30_000

/** Where the end of the trust stands: beside what else every packet asks for. */
export interface TrustKeeper {
  /** Until when the path is believed in. */
  trustUntil: number
}

/** The trust in one path. */
export class Trust {
  readonly #keeper: TrustKeeper
  #provenAt = -Infinity

  constructor(keeper: TrustKeeper) {
    this.#keeper = keeper
  }

  /** Tells whether the path may carry packets alone. */
  holds(now: number): boolean {
    return now <= this.#keeper.trustUntil
  }

  /** Tells whether it is time to ask for a sign of life: so early that two of them may be lost. */
  isFading(now: number): boolean {
    return now >= this.#keeper.trustUntil - (TRUST_UDP_ADDRESS - HEARTBEAT_INTERVAL)
  }

  /** A pong has come: packets get through, both ways. */
  prove(now: number): void {
    this.#provenAt = now
    this.#keeper.trustUntil = now + TRUST_UDP_ADDRESS
  }

  /** Something authentic has come: packets get through one way. */
  sustain(now: number): void {
    const counted = Math.min(now, this.#provenAt + PROOF_LIFETIME)
    this.#keeper.trustUntil = Math.max(this.#keeper.trustUntil, counted + TRUST_UDP_ADDRESS)
  }

  /** Ends it. */
  end(): void {
    this.#keeper.trustUntil = -Infinity
    this.#provenAt = -Infinity
  }
}
