/**
 * TSMP, the messages one node's daemon sends another's inside the tunnel.
 *
 * @packageDocumentation
 */
export * from './tsmp.ts'
