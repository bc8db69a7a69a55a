/**
 * The Geneve header in front of what goes through a UDP relay.
 *
 * @packageDocumentation
 */
export * from './geneve.ts'
