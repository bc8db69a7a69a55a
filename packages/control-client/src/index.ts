/**
 * Logs a node in to a control server and follows its map.
 *
 * @packageDocumentation
 */
export type { AnswerCall, CallAnswer, ControlCall } from './c2n.ts'
export { Backoff, FIRST_RETRY_DELAY, MAX_RETRY_DELAY } from './backoff.ts'
export {
  CONNECT_TIMEOUT,
  type ControlClientOptions,
  REQUEST_TIMEOUT,
  STEADY_AFTER,
} from './client-options.ts'
export { ControlClient } from './control-client.ts'
export { ControlError, type ControlErrorCode, isFinal } from './errors.ts'
export { Login, type LoginOptions, type LoginStep } from './login.ts'
export { MAP_WATCHDOG, MapSession, type MapSessionOutput } from './map-session.ts'
export type { ControlEvent, ControlOutput } from './output.ts'
export type { ControlQuestion } from './question.ts'
export { type Report, type ReportedEndpoint, Reporter } from './reporter.ts'
