// Peers to be called: at once when our own endpoints are fresh, else when they have been looked up again.
import type { Conversation } from './conversation.ts'
import type { Peer } from './peer.ts'
import type { Surroundings } from './surroundings.ts'

/** Makes calls, now or as soon as there is something fresh to say. */
export class Calls {
  readonly #surroundings: Surroundings
  readonly #conversation: Conversation
  readonly #waiting = new Set<Peer>()

  constructor(surroundings: Surroundings, conversation: Conversation) {
    this.#surroundings = surroundings
    this.#conversation = conversation
  }

  /** Calls a peer, or has it wait for a look around. */
  make(peer: Peer, now: number): void {
    if (this.#surroundings.areFresh(now)) return this.#call(peer, now)
    this.#waiting.add(peer)
    this.#surroundings.refresh(now)
  }

  /** Calls those that wait: the endpoints are fresh. */
  makeWaiting(now: number): void {
    for (const peer of this.#waiting) this.#call(peer, now)
    this.#waiting.clear()
  }

  /** Forgets a peer. */
  forgetPeer(peer: Peer): void {
    this.#waiting.delete(peer)
  }

  #call(peer: Peer, now: number): void {
    const endpoints = this.#surroundings.endpoints.map((local) => local.endpoint)
    if (endpoints.length > 0) this.#conversation.sendCallMeMaybe(peer, endpoints, now)
  }
}
