/**
 * Finds the best path to each peer and keeps it: disco pings, STUN, and a home relay for as long as nothing better is
 * known. The first packet never waits. Stands where WireGuard's UDP socket would be, and carries any datagrams.
 *
 * @packageDocumentation
 */
export type { DatagramListener, DatagramSocket, SocketPorts, SocketTrouble } from './datagram-socket.ts'
export { DROP_REASONS, type DropCounters, type DropReason } from './drops.ts'
export { ENDPOINT_TYPE, type EndpointType, type LocalEndpoint } from './endpoints.ts'
export {
  type PathCause,
  type PathCauseCode,
  type PathExplanation,
  type PathRemedy,
  type PathRemedyCode,
} from './explain.ts'
export { formatExplanation } from './explain-text.ts'
export type { PathHabits } from './habits.ts'
export { formatHop, type Hop } from './hop.ts'
export { formatIntroduction, type Introduction, parseIntroduction } from './introduction.ts'
export type { LedgerEntry, LedgerEvent } from './ledger.ts'
export { LIFETIME_CLIFFS, type UdpLifetime } from './lifetime-probe.ts'
export { MagicSock } from './magicsock.ts'
export { type InterfaceAddress, selectLocalAddresses } from './local-addresses.ts'
export type { NetcheckReport } from './netcheck-report.ts'
export { formatNetcheck } from './netcheck-text.ts'
export type { MagicSockOptions } from './options.ts'
export type { MagicSockEvent, MagicSockOutput, PeerPath, PingResult, PingWay } from './output.ts'
export { type PeerConfig, type PeerId, type PeerStatus, UNKNOWN_PEER } from './peer-config.ts'
export { MAX_PING_SIZE } from './pings.ts'
export type { TunnelGrantor } from './peer-relay/grantor.ts'
export {
  PeerRelay,
  type PeerRelayDrops,
  type PeerRelayOptions,
  type PeerRelayOutput,
  type PeerRelaySession,
} from './peer-relay/peer-relay.ts'
export type { EndTraffic } from './peer-relay/session.ts'
export type { GatewayRequest, GatewayResponse } from './portmap/http-request.ts'
export type { Gateway, PortMapping, PortMapService, PortMapServices } from './portmap/mapping.ts'
export { PortMapper, type PortMapperOutput } from './portmap/port-mapper.ts'
export {
  DEFAULT_STUN_PORT,
  relayMapOf,
  type RelayMap,
  type RelayNode,
  type RelayRegion,
} from './relay-map.ts'
export { MIN_SLEEP, SleepWatch } from './sleep-watch.ts'
export { SENT } from './sent.ts'
export type { PeerTraffic, Traffic } from './traffic.ts'
export type { Underlay } from './underlay.ts'
