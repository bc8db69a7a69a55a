/**
 * The system's clock and random source, and what its errors say, for shells that run under Node.
 *
 * @packageDocumentation
 */
export { reasonOf, systemCodeOf } from './reason.ts'
export { sayOn } from './say-line.ts'
export type { StandardStream } from './say-line.ts'
export { systemClock } from './system-clock.ts'
export { systemRandom } from './system-random.ts'
