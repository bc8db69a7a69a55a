// The pings somebody waits for. However one ends (an answer, silence, a peer that is removed or has another disco
// key meanwhile), whoever asked hears of it once, and in time.
import type { PingResult, PingWay } from './output.ts'
import type { PeerId } from './peer-config.ts'
import type { Peer } from './peer.ts'
import { MAX_PING_SIZE, PING_TIMEOUT } from './pings.ts'

interface Asked {
  readonly peer: PeerId
  readonly deadline: number
}

/** How somebody wants a peer pinged. */
export interface Question {
  readonly over: PingWay
  /** Bytes of the packet; 0 for as small as can be. */
  readonly size: number
  /** The region through which the peer is reached; 0 for none. */
  readonly region: number
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

  /**
   * Pings a peer, and returns the number of the ping, from 1 on. `to` is `undefined` for one that nobody knows.
   *
   * @throws RangeError for a size that no ping can have.
   */
  ask(peer: PeerId, to: Peer | undefined, { over, size, region }: Question, now: number): number {
    if (!Number.isInteger(size) || size < 0 || size > MAX_PING_SIZE)
      throw new RangeError(`size: a ping has at most ${MAX_PING_SIZE} bytes, not ${size}`)
    const asked = (this.#last += 1)
    this.#waiting.set(asked, { peer, deadline: now + PING_TIMEOUT })
    if (to === undefined) this.end(asked, { ok: false, reason: 'unknown-peer' })
    else if (to.config.expired === true) this.end(asked, { ok: false, reason: 'expired-peer' })
    else {
      to.noteSend(now)
      const errand = { purpose: 'asked', asked, size } as const
      const sent = over === 'relay' ? to.askRelay(errand, region, now) : to.ask(errand, region, now)
      if (!sent) this.end(asked, { ok: false, reason: 'no-path' })
    }
    return asked
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
