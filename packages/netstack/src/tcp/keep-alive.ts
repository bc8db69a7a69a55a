// Asks a peer that has long been silent whether it is still there (RFC 9293 section 3.8.4): else a connection whose peer was
// switched off, and to which nothing is sent, would stay for ever.

/** How long a peer may be silent before it is asked, in milliseconds: the least that the RFC allows unasked. */
export const KEEP_ALIVE_IDLE = 2 * 3_600_000
/** How long it has for an answer. */
export const KEEP_ALIVE_INTERVAL = 75_000
/** How often it is asked before it counts as gone. */
export const KEEP_ALIVE_PROBES = 9

/** The patience with one peer. */
export class KeepAlive {
  /** When something is to be done; `Infinity` before the connection is open and after it. */
  dueAt = Infinity
  #asked = 0

  /** Something came from the peer. */
  noteHeard(now: number): void {
    this.#asked = 0
    this.dueAt = now + KEEP_ALIVE_IDLE
  }

  /** Counts a question, and returns false when enough were asked. */
  ask(now: number): boolean {
    if (this.#asked === KEEP_ALIVE_PROBES) return false
    this.#asked += 1
    this.dueAt = now + KEEP_ALIVE_INTERVAL
    return true
  }

  /** There is something on its way whose own timer asks already. */
  postpone(now: number): void {
    this.dueAt = now + KEEP_ALIVE_INTERVAL
  }

  /** Nothing is to be done any more. */
  end(): void {
    this.dueAt = Infinity
  }
}
