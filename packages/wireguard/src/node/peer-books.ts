// The sums of one peer as the control thread knows them. Each packet thread counts from zero; when they die, what they had
// told stays the ground on which the next ones' sums stand.
import type { PeerCounters } from '../data-plane.ts'

const NOTHING: PeerCounters = { sentBytes: 0, receivedBytes: 0, sentPackets: 0, receivedPackets: 0 }

/** All that went to and came from a peer, and the part of it that went straight. */
export class PeerBooks {
  all: PeerCounters = NOTHING
  direct: PeerCounters = NOTHING
  #allBefore = NOTHING
  #directBefore = NOTHING
  /** By thread. */
  #alls: PeerCounters[] = []
  #directs: PeerCounters[] = []

  /** Takes the sums of a thread that runs. */
  take(all: PeerCounters, direct: PeerCounters, thread = 0): void {
    this.#alls[thread] = all
    this.#directs[thread] = direct
    this.all = this.#alls.reduce(sum, this.#allBefore)
    this.direct = this.#directs.reduce(sum, this.#directBefore)
  }

  /** The threads are gone: the next ones begin at zero. */
  carryOver(): void {
    this.#allBefore = this.all
    this.#directBefore = this.direct
    this.#alls = []
    this.#directs = []
  }
}

function sum(a: PeerCounters, b: PeerCounters): PeerCounters {
  return {
    sentBytes: a.sentBytes + b.sentBytes,
    receivedBytes: a.receivedBytes + b.receivedBytes,
    sentPackets: a.sentPackets + b.sentPackets,
    receivedPackets: a.receivedPackets + b.receivedPackets,
  }
}
