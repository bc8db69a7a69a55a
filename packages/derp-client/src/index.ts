/**
 * One connection to a DERP relay, and the choice among the relays of a region.
 *
 * @packageDocumentation
 */
export type { DerpEvent, DerpStats } from './derp-client.ts'
export {
  CONNECT_TIMEOUT,
  LIVENESS_TIMEOUT,
  MAX_BACKOFF,
  MAX_PACKET_LENGTH,
  PING_TIMEOUT,
  SEND_QUEUE_LENGTH,
} from './constants.ts'
export { DerpError, type DerpErrorCode } from './errors.ts'
export type { RelayNode, RelayRegion } from './region.ts'
