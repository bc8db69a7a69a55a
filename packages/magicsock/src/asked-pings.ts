// The pings somebody waits for. However one ends (an answer, silence, a peer that is removed or has another disco
// key meanwhile), whoever asked hears of it once, and in time.
import type { PingResult } from './output.ts'
import type { PeerId } from './peer-config.ts'
import { PING_TIMEOUT } from './pings.ts'

interface Asked {
  readonly peer: PeerId
  readonly deadline: number
}

/** Remembers who was asked, by the number of the ping. All wait equally long, so the first asked is the first over. */
export class AskedPings {
  readonly #tell: (ping: number, peer: PeerId, result: PingResult) => void
  readonly #waiting = new Map<number, Asked>()
  #last = 0

  /** @param tell - Hears how a ping ended; called once for each. */
  constructor(tell: (ping: number, peer: PeerId, result: PingResult) => void) {
    this.#tell = tell
  }

  /** Notes a ping to a peer and returns its number, from 1 on. */
  begin(peer: PeerId, now: number): number {
    this.#last += 1
    this.#waiting.set(this.#last, { peer, deadline: now + PING_TIMEOUT })
    return this.#last
  }

  /** Ends a ping; only the first end counts. */
  end(ping: number, result: PingResult): void {
    const asked = this.#waiting.get(ping)
    if (asked === undefined) return
    this.#waiting.delete(ping)
    this.#tell(ping, asked.peer, result)
  }

  /** Ends all pings to a peer. */
  endAll(peer: PeerId, result: PingResult): void {
    for (const [ping, asked] of this.#waiting) if (asked.peer === peer) this.end(ping, result)
  }

  /** Ends those whose time is over. */
  handleTimeout(now: number): void {
    for (const [ping, { deadline }] of this.#waiting) {
      if (now < deadline) return
      this.end(ping, { ok: false, reason: 'timeout' })
    }
  }

  /** Returns when the next one is over. */
  pollTimeout(): number {
    for (const { deadline } of this.#waiting.values()) return deadline
    return Infinity
  }
}
