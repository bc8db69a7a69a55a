// What happened with peers in one input, each told once.
import { addActivity } from '../data-plane.ts'
import type { PlanePeer } from '../plane-peer.ts'
import type { PlaneCoreOutputs } from './plane-outputs.ts'

/** Collects bits of `ACTIVITY`. */
export class PeerActivity {
  readonly #touched: PlanePeer[] = []

  /** Adds bits to what happened with a peer. */
  note(peer: PlanePeer, activity: number): void {
    if (peer.activity === 0) this.#touched.push(peer)
    peer.activity = addActivity(peer.activity, activity)
  }

  /** Tells what happened, and begins anew. */
  report(outputs: PlaneCoreOutputs): void {
    for (let peer = this.#touched.pop(); peer !== undefined; peer = this.#touched.pop()) {
      const { activity } = peer
      peer.activity = 0
      peer.source = -1
      outputs.onActivity(peer, activity)
    }
  }
}
