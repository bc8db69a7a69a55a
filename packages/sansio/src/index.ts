/**
 * The shape of a protocol machine (bytes and time in, work out) and the loop that drives one.
 *
 * @packageDocumentation
 */
export type { Clock } from './clock.ts'
export { type Driver, drive } from './drive.ts'
export { drain, type Machine } from './machine.ts'
export { ManualClock } from './manual-clock.ts'
export { type RandomSource, seededRandom } from './random.ts'
export { TokenBucket } from './token-bucket.ts'
