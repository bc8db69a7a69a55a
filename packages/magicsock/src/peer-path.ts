// A peer as others see it: the path of its packets in the words of the news, how it stands, and why.
import { explain, type PathExplanation } from './explain.ts'
import type { PeerPath } from './output.ts'
import type { PeerStatus } from './peer-config.ts'
import type { Peer } from './peer.ts'
import type { Relays } from './relays.ts'
import type { Surroundings } from './surroundings.ts'

/** Returns the path a peer's packets take now. */
export function pathOf(peer: Peer, relays: Relays): PeerPath {
  const { best } = peer
  if (best !== undefined) {
    const { endpoint, latency } = best
    if (endpoint.vni === undefined) return { kind: 'direct', endpoint, latency }
    return { kind: 'peer-relay', endpoint, vni: endpoint.vni, latency }
  }
  const region = relays.peek(peer.id, peer.config.homeRelay)
  return region === 0 ? { kind: 'none' } : { kind: 'relay', region }
}

/** Returns how a peer stands. */
export function statusOf(peer: Peer, now: number): PeerStatus {
  const { best: path, config, lastSend } = peer
  const hop = path?.endpoint
  const direct = hop?.vni === undefined ? hop : undefined
  const isTrusted = peer.isTrusted(now)
  return {
    endpoint: isTrusted ? direct : undefined,
    bestEndpoint: direct,
    peerRelay: isTrusted && direct === undefined ? hop : undefined,
    latency: path?.latency,
    mtu: path?.mtu,
    lifetime: peer.lifetime,
    homeRelay: config.homeRelay,
    active: peer.isActive(now),
    lastSend: lastSend === -Infinity ? undefined : lastSend,
    candidates: Array.from(peer.candidates.values(), (c) => c.endpoint),
    traffic: peer.traffic,
  }
}

/** Returns why a peer's packets take that path. */
export function explainPeer(
  peer: Peer,
  relays: Relays,
  { endpoints, report }: Surroundings,
  peerRelays: number,
  now: number,
): PathExplanation {
  return explain(
    {
      peer: peer.id,
      path: pathOf(peer, relays),
      expired: peer.config.expired === true,
      hasDiscoKey: peer.disco !== undefined,
      wasHeard: wasHeard(peer),
      tryingSince: peer.tryingSince(now),
      candidates: Array.from(peer.candidates.values(), (candidate) => candidate.endpoint),
      ours: endpoints,
      report,
      peerRelays: peer.config.understandsPeerRelays === false ? 0 : peerRelays,
      lifetime: peer.lifetime,
      mtu: peer.best?.mtu,
      ledger: peer.ledger,
    },
    now,
  )
}

function wasHeard({ traffic, ledger }: Peer): boolean {
  const { receivedDirect, receivedPeerRelay, receivedRelay } = traffic
  if (receivedDirect.packets + receivedPeerRelay.packets + receivedRelay.packets > 0) return true
  const heard = ['call-heard', 'ping-heard', 'pong-heard'] as const
  return heard.some((event) => ledger.has(event, 'relay', -Infinity) || ledger.has(event, 'udp', -Infinity))
}
