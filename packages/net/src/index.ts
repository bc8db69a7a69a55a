/**
 * A whole mesh node in your process: join, dial, listen.
 *
 * @packageDocumentation
 */
export { addressesOf, describeStatus, type StatusSources } from './describe-status.ts'
export { eligiblePrefixes, type HostRoutes, hostRoutes } from './eligible-routes.ts'
export { NetError, type NetErrorCode } from './errors.ts'
export type { MeshDatagram, MeshNodeApi, MeshUdpSocket, NodeEvent } from './node-api.ts'
export { CONTROL_KEYS, MACHINE_KEY, memoryStore, NODE_KEY, type StateStore } from './state-store.ts'
export {
  BACKEND_STATES,
  type BackendState,
  type NetcheckReport,
  type PathCounters,
  type PeerStatus,
  type PingResult,
  type PingType,
  type Status,
  type UserStatus,
  ZERO_TIME,
} from './status.ts'
