/**
 * The runtime's clock and random source, for shells that run in a browser, or anywhere else.
 *
 * @packageDocumentation
 */
export { webClock } from './web-clock.ts'
export { webRandom } from './web-random.ts'
