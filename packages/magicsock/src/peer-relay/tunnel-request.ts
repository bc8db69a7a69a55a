// One request to one peer relay for a tunnel to one peer. It goes through a DERP relay, which may lose it, and the
// server may not know its own addresses yet: so it is repeated once.
import type { AllocateResponse } from '@mesh/wire/disco'
import { sameKey } from '../key-table.ts'
import type { Peer } from '../peer.ts'

/** When a request is repeated. */
export const ALLOCATE_RETRY = 3_000
/** When it is given up. */
export const ALLOCATE_TIMEOUT = 10_000

/** A request that waits for its response. */
export class TunnelRequest {
  /** To whom a tunnel is wanted. */
  readonly peer: Peer
  /** Who is asked. */
  readonly server: Peer
  readonly #clientDisco: readonly [Uint8Array, Uint8Array]
  readonly #generation: number
  readonly #send: (request: TunnelRequest, now: number) => void
  readonly #deadline: number
  #retryAt: number

  /** @param send - Sends {@link TunnelRequest.message} to the server; called at once and perhaps once more. */
  constructor(
    asked: { readonly peer: Peer; readonly server: Peer; readonly generation: number },
    clientDisco: readonly [Uint8Array, Uint8Array],
    send: (request: TunnelRequest, now: number) => void,
    now: number,
  ) {
    this.peer = asked.peer
    this.server = asked.server
    this.#generation = asked.generation
    this.#clientDisco = clientDisco
    this.#send = send
    this.#deadline = now + ALLOCATE_TIMEOUT
    this.#retryAt = now + ALLOCATE_RETRY
    send(this, now)
  }

  /** What the server is asked. */
  get message(): {
    readonly kind: 'allocate-request'
    readonly clientDisco: readonly [Uint8Array, Uint8Array]
    readonly generation: number
  } {
    return { kind: 'allocate-request', clientDisco: this.#clientDisco, generation: this.#generation }
  }

  /** Tells whether this is the answer to it. */
  isAnsweredBy(response: AllocateResponse, server: Peer): boolean {
    if (server !== this.server || response.generation !== this.#generation) return false
    const [a, b] = sortedPair(...response.clientDisco)
    return sameKey(a, this.#clientDisco[0]) && sameKey(b, this.#clientDisco[1])
  }

  /** Repeats it when it is time. Returns false when the time is over. */
  handleTimeout(now: number): boolean {
    if (now >= this.#deadline) return false
    if (now < this.#retryAt) return true
    this.#retryAt = Infinity
    this.#send(this, now)
    return true
  }

  /** Returns when to call {@link TunnelRequest.handleTimeout}. */
  pollTimeout(): number {
    return Math.min(this.#deadline, this.#retryAt)
  }
}

/** Returns two disco keys in the order in which every message about a tunnel names them. */
export function sortedPair(a: Uint8Array, b: Uint8Array): readonly [Uint8Array, Uint8Array] {
  for (let i = 0; i < a.length; i += 1) {
    if (a[i] !== b[i]) return a[i]! < b[i]! ? [a, b] : [b, a]
  }
  return [a, b]
}
