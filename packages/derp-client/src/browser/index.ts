/**
 * The relay connection for browsers and every other runtime with the web's own WebSocket.
 *
 * @packageDocumentation
 */
export type { DerpConnection } from '../connection.ts'
export { connectDerp, type WebDerpConnectionOptions } from './connect-derp.ts'
