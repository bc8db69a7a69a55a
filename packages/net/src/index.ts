/**
 * A whole mesh node in your process: it logs in, follows the map, finds the paths to its peers and carries packets through
 * WireGuard, to a kernel device or to a stack in user space.
 *
 * @packageDocumentation
 */
export { answerControlCall, type CallSources, json } from './control-calls.ts'
export { addressesOf, describeStatus, type StatusSources } from './describe-status.ts'
export { eligiblePrefixes, type HostRoutes, hostRoutes } from './eligible-routes.ts'
export { Engine, type EngineDrop, type EngineOptions, type EngineUnderlay } from './engine.ts'
export { decodeMap, encodeMap, type MapCache, type MapOwner } from './map-cache.ts'
export { NetError, type NetErrorCode } from './errors.ts'
export { GATE_DROPS, type GateDrop, GateDrops } from './gate-drops.ts'
export type {
  MeshDatagram,
  MeshListener,
  MeshNodeApi,
  MeshUdpSocket,
  NodeEvent,
  PingOptions,
  WhoIs,
} from './node-api.ts'
export { type GateSettings, PacketGate } from './packet-gate.ts'
export { type NumberedPeer, PeerTable } from './peer-table.ts'
export type { PeerTerms, Terms } from './peer-terms.ts'
export { type PathsRoom, reconcile, type Rooms, type WireGuardRoom } from './reconcile.ts'
export type { ControlQuestion } from '@mesh/control-client'
export { MAX_PING_SIZE } from '@mesh/magicsock'
export type { DnsTransport, ForwardQuery } from './service-address.ts'
export {
  CONTROL_KEYS,
  MACHINE_KEY,
  memoryStore,
  NEXT_NODE_KEY,
  NODE_KEY,
  type StateStore,
} from './state-store.ts'
export {
  BACKEND_STATES,
  type BackendState,
  type DataPlaneStatus,
  type DropStatus,
  type NetcheckReport,
  type PathCounters,
  type PathReport,
  type PeerStatus,
  type PingResult,
  type PingType,
  type Status,
  type UserStatus,
  ZERO_TIME,
} from './status.ts'
export { TUNNEL_PING_TIMEOUT } from './tunnel-pings.ts'
export {
  type AcceptConnection,
  type Connection,
  type ConnectionEvents,
  type OverlayHost,
  UserspaceHost,
} from './userspace-host.ts'
