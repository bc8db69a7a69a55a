/**
 * The relay connection for Node: dials, speaks TLS, upgrades, and stays connected.
 *
 * @packageDocumentation
 */
export type { DerpConnection } from '../connection.ts'
export { connectDerp, type DerpConnectionOptions } from './connect-derp.ts'
export { type ProxyTarget, proxyFromEnvironment } from './proxy.ts'
