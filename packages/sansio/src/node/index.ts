/**
 * The system's clock and random source, for shells that run under Node.
 *
 * @packageDocumentation
 */
export { systemClock } from './system-clock.ts'
export { systemRandom } from './system-random.ts'
