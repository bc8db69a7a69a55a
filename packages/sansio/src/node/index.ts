/**
 * The system's clock and random source, files that are whole or not there, and what errors say, for shells that run under Node.
 *
 * @packageDocumentation
 */
export { makeFolder } from './make-folder.ts'
export { reasonOf, systemCodeOf } from './reason.ts'
export { sayOn } from './say-line.ts'
export { endUnheard } from './unheard.ts'
export type { StandardStream } from './say-line.ts'
export { webClock as systemClock } from '../browser/web-clock.ts'
export { webRandom as systemRandom } from '../browser/web-random.ts'
export { checkCreatable, createFile, readIfThere, replaceFile } from './whole-file.ts'
export type { MakeFile } from './whole-file.ts'
