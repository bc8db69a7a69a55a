/**
 * The relay connection for Node: dials, speaks TLS, upgrades, and stays connected.
 *
 * @packageDocumentation
 */
export { connectDerp, type DerpConnection, type DerpConnectionOptions } from './connect-derp.ts'
