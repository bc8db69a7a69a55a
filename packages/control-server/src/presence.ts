// Who is connected. A node is online while it has a map stream, and for a short grace after the last one ended, because
// clients reconnect on every change of network (control §3.7).

import { Deadlines } from './deadlines.ts'

/** How long after its last stream a node still counts as online. */
export const OFFLINE_GRACE = 10_000

/** Counts map streams by node. */
export class Presence {
  readonly #streams = new Map<number, number>()
  readonly #leaving = new Deadlines<number>()

  /** Tells whether a node counts as online. */
  isOnline(node: number): boolean {
    return this.#streams.has(node) || this.#leaving.has(node)
  }

  /** Tells whether a node has a stream right now. */
  isConnected(node: number): boolean {
    return this.#streams.has(node)
  }

  /** Notes a new stream. Returns whether the node was offline before. */
  connect(node: number): boolean {
    const wasOnline = this.isOnline(node)
    this.#streams.set(node, (this.#streams.get(node) ?? 0) + 1)
    this.#leaving.delete(node)
    return !wasOnline
  }

  /** Notes the end of a stream; the last one starts the grace. */
  disconnect(node: number, now: number): void {
    const left = (this.#streams.get(node) ?? 1) - 1
    if (left > 0) {
      this.#streams.set(node, left)
      return
    }
    this.#streams.delete(node)
    this.#leaving.set(node, now + OFFLINE_GRACE)
  }

  /** Makes a node offline at once: it logged out or is gone. */
  leave(node: number): void {
    this.#leaving.delete(node)
  }

  /** Returns the nodes whose grace is over. */
  due(now: number): number[] {
    return this.#leaving.due(now)
  }

  /** Returns when to call {@link Presence.due}. */
  next(): number {
    return this.#leaving.next()
  }
}
