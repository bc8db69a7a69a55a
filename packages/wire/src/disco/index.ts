/**
 * Disco, the protocol by which two nodes find paths to each other: its envelope and its nine messages.
 *
 * @packageDocumentation
 */
export { decodeDisco } from './decode.ts'
export { encodeDisco } from './encode.ts'
export * from './envelope.ts'
export * from './messages.ts'
