/**
 * The four messages of WireGuard: initiation, response, cookie reply and transport data.
 *
 * @packageDocumentation
 */
export * from './cookie-reply.ts'
export * from './handshake.ts'
export * from './messages.ts'
export * from './receiver.ts'
export * from './transport.ts'
