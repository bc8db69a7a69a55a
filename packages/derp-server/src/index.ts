/**
 * A DERP relay and its STUN answerer, mountable in any HTTP server.
 *
 * @packageDocumentation
 */
export { answerStun } from './answer-stun.ts'
export type { ReceiveLimit } from './allowance.ts'
export type { SiblingId } from './clients.ts'
export type { CloseReason, ConnectionId, Origin } from './connection.ts'
export {
  KEEP_ALIVE,
  KEEP_ALIVE_JITTER,
  LOGIN_TIMEOUT,
  MAX_NEWS,
  MESH_WRITE_TIMEOUT,
  MIN_RECEIVE_BURST,
  PART_TIMEOUT,
  SEND_QUEUE_LENGTH,
  WRITE_TIMEOUT,
  WRITE_WINDOW,
} from './constants.ts'
export type { RelayOutput } from './output.ts'
export type { Quota } from './quotas.ts'
export { Relay, type RelayOptions } from './relay.ts'
export type { SiblingOptions } from './siblings.ts'
export type { DropReason, RelayStats } from './stats.ts'
