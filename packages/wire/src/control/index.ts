/**
 * The control protocol's layouts: every JSON shape with its decoder, the framing of the map stream, the Noise
 * frames under it, and the early payload.
 *
 * Shapes keep the names they have on the wire. Decoders take parsed JSON, copy only what they know and return
 * `undefined` for anything of the wrong kind, so they are safe with a stranger's input.
 *
 * @packageDocumentation
 */
export * from './derp-map.ts'
export * from './dns-config.ts'
export * from './early-payload.ts'
export * from './filter-rule.ts'
export * from './hostinfo.ts'
export * from './json.ts'
export * from './key-text.ts'
export * from './map-frame.ts'
export * from './map-request.ts'
export * from './map-response.ts'
export * from './node.ts'
export * from './noise-frame.ts'
export * from './ping-request.ts'
export * from './register.ts'
export type { JsonDecoder } from './schema.ts'
export * from './server-key.ts'
export * from './ssh-policy.ts'
export * from './user.ts'
export * from './version.ts'
