// What an owner asks about one peer: does it answer, and why does its path look as it does?
import { type MapNode, nodeByAddress, nodeByName, type NetworkMap } from '@mesh/netmap'
import { systemClock } from '@mesh/sansio/node'
import { formatAddress, parseAddress } from '@mesh/wire/ip'
import { describePath } from '../describe-path.ts'
import { addressesOf, nameOf } from '../describe-status.ts'
import { NetError } from '../errors.ts'
import type { PingOptions } from '../node-api.ts'
import type { PeerTable } from '../peer-table.ts'
import type { PathReport, PingResult } from '../status.ts'
import { TUNNEL_PING_TIMEOUT } from '../tunnel-pings.ts'
import type { UserspaceHost } from '../userspace-host.ts'
import type { DataSide } from './data-side.ts'
import { dial } from './dial.ts'
import { peerApiUrl, pingPeerApi } from './peer-api-ping.ts'
import { within } from './within.ts'

/** What the answers come from; a node that has just begun has less. */
export interface Knowledge {
  readonly map: NetworkMap | undefined
  readonly data: DataSide | undefined
  readonly peers: PeerTable
  /** Opens connections where the kernel does not. */
  readonly userspace: UserspaceHost | undefined
}

const NO_ANSWER: PingResult = {
  IP: '',
  NodeIP: '',
  NodeName: '',
  Err: '',
  LatencySeconds: 0,
  Endpoint: '',
  PeerRelay: '',
  DERPRegionID: 0,
  DERPRegionCode: '',
  IsLocalIP: false,
}

/** Asks a peer for an answer. @throws NetError `ERR_NO_PEER`. */
export async function pingPeer(
  target: string,
  options: PingOptions,
  { map, data, peers, userspace }: Knowledge,
): Promise<PingResult> {
  const node = map && findNode(map, target)
  if (!map || !data || !node) throw noPeer(target)
  const NodeIP = addressesOf(node)[0] ?? ''
  const address = parseAddress(target) ?? parseAddress(NodeIP)
  const base = {
    ...NO_ANSWER,
    IP: parseAddress(target) ? target : NodeIP,
    NodeIP,
    NodeName: nameOf(map, node),
  }
  if (node === map.self) return { ...base, IsLocalIP: true }
  const numbered = peers.of(node)
  if (!numbered || !address) return { ...base, Err: 'the peer has no address' }
  const { type = 'disco', over = 'any', size = 0, timeoutMs = TUNNEL_PING_TIMEOUT } = options
  if (type === 'peerapi') {
    const url = peerApiUrl(node, address)
    if (url === undefined) return { ...base, Err: 'the peer offers no PeerAPI' }
    const connect = userspace && ((port: number) => dial(userspace, target, formatAddress(address), port))
    return { ...base, ...(await pingPeerApi(url, timeoutMs, connect)) }
  }
  if (type !== 'disco') return { ...base, ...(await data.pingThrough(map, type, address, timeoutMs)) }
  const answer = await within(timeoutMs, data.pingPath(map, numbered.peer, over, size))
  return { ...base, ...(answer ?? { Err: 'timed out' }) }
}

/** Returns why the path to a peer is as it is. @throws NetError `ERR_NO_PEER`. */
export function explainPeer(target: string, { map, data, peers }: Knowledge): PathReport {
  const node = map && findNode(map, target)
  const peer = node && peers.of(node)?.peer
  const explanation = peer === undefined ? undefined : data?.sock.explainPath(peer)
  if (!map || !node || !explanation) throw noPeer(target)
  const owner = { name: nameOf(map, node), address: addressesOf(node)[0] ?? '' }
  return describePath(explanation, owner, map.derpMap, systemClock.now())
}

/** Returns the error that says that nobody has that name or address. */
export function noPeer(target: string): NetError {
  return new NetError('ERR_NO_PEER', `No machine in the mesh is called "${target}" or has that address.`)
}

function findNode(map: NetworkMap, target: string): MapNode | undefined {
  const address = parseAddress(target)
  return address ? nodeByAddress(map, address) : nodeByName(map, target)
}
