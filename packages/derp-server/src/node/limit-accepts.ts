// A bound on how many strangers a second are listened to at all. The others are hung up on before they cost a TLS
// handshake (data-plane §2.7, threat 26).
import type { Server, Socket } from 'node:net'
import { type Clock, TokenBucket } from '@mesh/sansio'
import { systemClock } from '@mesh/sansio/node'

/** How many connections a server takes. */
export interface AcceptLimit {
  /** Connections a second; Infinity is no limit. */
  readonly perSecond: number
  /** How many of them may come at once; as many as in a second unless given, at least one. */
  readonly burst?: number
  /** Time; the system's clock unless given. */
  readonly clock?: Clock
}

/** What an accept limit has done so far. */
export interface AcceptCounter {
  /** Connections hung up on. */
  readonly refused: number
}

/** Makes a server, plain or TLS, hang up at once on connections above the limit. */
export function limitAccepts(server: Server, limit: AcceptLimit): AcceptCounter {
  const { perSecond, clock = systemClock } = limit
  const counter = { refused: 0 }
  if (perSecond === Infinity) return counter
  const burst = Math.max(1, limit.burst ?? perSecond)
  const bucket = new TokenBucket(burst, 1_000 / perSecond, clock.now())
  // First in line: a socket that is refused should not reach TLS or HTTP.
  server.prependListener('connection', (socket: Socket) => {
    if (bucket.take(clock.now())) return
    counter.refused += 1
    socket.resetAndDestroy()
  })
  return counter
}
