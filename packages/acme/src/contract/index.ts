/**
 * A real authority of certificates to test against.
 *
 * @packageDocumentation
 */
export { freePort, isPebbleHere, startPebble } from './pebble.ts'
export type { PebbleOptions, TestAuthority } from './pebble.ts'
