// The books of the data plane.
import type { DropReason } from './data-plane.ts'

/** Sums that grow in place. */
export class PlaneCounters {
  sealed = 0
  opened = 0
  /** Packets dropped, whatever the reason. */
  dropped = 0
  readonly drops: Record<DropReason, number> = {
    'not-ip': 0,
    'no-route': 0,
    'staged-overflow': 0,
    'no-session': 0,
    'not-wireguard': 0,
    'unknown-index': 0,
    expired: 0,
    'counter-limit': 0,
    forged: 0,
    replayed: 0,
    'bad-inner': 0,
    'wrong-source': 0,
  }

  /** Counts a dropped packet, or several. */
  drop(reason: DropReason, packets = 1): void {
    this.dropped += packets
    this.drops[reason] += packets
  }
}
