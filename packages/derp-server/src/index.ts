/**
 * A DERP relay and its STUN answerer, mountable in any HTTP server.
 *
 * @packageDocumentation
 */
export type { DropReason, RelayStats } from './stats.ts'
