// What a node on the system's sockets says of itself: from its map, its peers and its data side.
import type { MapNode } from '@mesh/netmap'
import { formatEndpoint } from '@mesh/wire/ip'
import { describeStatus } from '../describe-status.ts'
import type { BackendState, Status } from '../status.ts'
import type { Knowledge } from './peer-questions.ts'

/** Returns the status, all but the version; `health` is what is wrong, a sentence each. */
export function nodeStatus(
  { map, data, peers, userspace }: Knowledge,
  state: BackendState,
  health: readonly string[],
): Omit<Status, 'Version'> {
  const of = <T>(node: MapNode, ask: (peer: number) => T): T | undefined => {
    const numbered = peers.of(node)
    return numbered && ask(numbered.peer)
  }
  return describeStatus({
    state,
    tun: userspace === undefined,
    dataPlane: data?.dataPlane,
    drops: data?.drops,
    map,
    health,
    ownEndpoints: data?.sock.endpoints.map(({ endpoint }) => formatEndpoint(endpoint)) ?? [],
    homeRelay: data?.sock.homeRelay ?? 0,
    pathReasonOf: (node) => of(node, (peer) => data?.sock.explainPath(peer)?.causes[0]?.code),
    pathOf: (node) => of(node, (peer) => data?.pathOf(peer)),
    lastHandshakeOf: (node) => of(node, (peer) => data?.lastHandshakeOf(peer)),
  })
}
