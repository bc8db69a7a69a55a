/**
 * The control client under Node: sockets, TLS, HTTP/2 and zstd around the machine.
 *
 * @packageDocumentation
 */
export { type ConnectControlOptions, type ControlConnection, connectControl } from './connect-control.ts'
export { nodeZstd } from './zstd.ts'
