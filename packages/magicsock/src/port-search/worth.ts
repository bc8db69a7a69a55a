// When a search for ports is worth its packets, on either side.
import type { Peer } from '../peer.ts'
import { isPublic } from '../probe-rules.ts'

/** How long one search lasts at most. */
export const SEARCH_DURATION = 10_000

/** Tells whether ports of an IPv4 peer may be searched: it has a public address, and no direct path is at hand. */
export function isWorthSearching(peer: Peer, now: number): boolean {
  if (peer.disco === undefined || peer.isSettled(now)) return false
  for (const { endpoint } of peer.candidates.values()) {
    const { address } = endpoint
    if (address.length === 4 && isPublic(address)) return true
  }
  return false
}
