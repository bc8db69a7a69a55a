/**
 * One connection to a DERP relay, and the choice among the relays of a region.
 *
 * @packageDocumentation
 */
export { type ByteStream, type ByteStreamEvents, memoryStreamPair } from './byte-stream.ts'
export {
  CONNECT_TIMEOUT,
  LIVENESS_TIMEOUT,
  MAX_BACKOFF,
  PING_TIMEOUT,
  SEND_QUEUE_LENGTH,
} from './constants.ts'
export { DerpClient, type DerpClientOptions } from './derp-client.ts'
export { DerpError, type DerpErrorCode } from './errors.ts'
export type { DerpEvent, DerpOutput, DerpStats } from './output.ts'
export type { RelayNode, RelayRegion } from './region.ts'
