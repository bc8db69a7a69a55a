// The sums of one peer as the control thread knows them. A packet thread counts from zero; when it dies, what it had told
// stays the ground on which the next one's sums stand.
import type { PeerCounters } from '../data-plane.ts'

const NOTHING: PeerCounters = { sentBytes: 0, receivedBytes: 0, sentPackets: 0, receivedPackets: 0 }

/** All that went to and came from a peer, and the part of it that went straight. */
export class PeerBooks {
  all: PeerCounters = NOTHING
  direct: PeerCounters = NOTHING
  #allBefore = NOTHING
  #directBefore = NOTHING

  /** Takes the sums of the thread that runs. */
  take(all: PeerCounters, direct: PeerCounters): void {
    this.all = sum(this.#allBefore, all)
    this.direct = sum(this.#directBefore, direct)
  }

  /** The thread is gone: the next one begins at zero. */
  carryOver(): void {
    this.#allBefore = this.all
    this.#directBefore = this.direct
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
