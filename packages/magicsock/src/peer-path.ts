// The path of a peer's packets, in the words of the news.
import type { PeerPath } from './output.ts'
import type { Peer } from './peer.ts'
import type { Relays } from './relays.ts'

/** Returns the path a peer's packets take now. */
export function pathOf(peer: Peer, relays: Relays): PeerPath {
  const { best } = peer
  if (best !== undefined) return { kind: 'direct', endpoint: best.endpoint, latency: best.latency }
  const region = relays.peek(peer.id, peer.config.homeRelay)
  return region === 0 ? { kind: 'none' } : { kind: 'relay', region }
}
