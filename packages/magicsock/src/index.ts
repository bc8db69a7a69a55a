/**
 * Finds and keeps the best path to each peer: STUN, netcheck, disco, relays.
 *
 * @packageDocumentation
 */
export type { DatagramListener, DatagramSocket, SocketPorts, SocketTrouble } from './datagram-socket.ts'
export { DROP_REASONS, type DropCounters, type DropReason } from './drops.ts'
export { ENDPOINT_TYPE, type EndpointType, type LocalEndpoint } from './endpoints.ts'
export { MagicSock, type MagicSockOptions, SENT } from './magicsock.ts'
export type { NetcheckReport } from './netcheck.ts'
export type { MagicSockEvent, MagicSockOutput, PeerPath, PingResult } from './output.ts'
export type { PeerConfig, PeerId, PeerStatus, PeerTraffic, Traffic } from './peer-config.ts'
export { DEFAULT_STUN_PORT, type RelayMap, type RelayNode, type RelayRegion } from './relay-map.ts'
export type { Underlay } from './underlay.ts'
