/**
 * The relay and the STUN answerer for Node, mountable in any `node:http` or `node:https` server.
 *
 * @packageDocumentation
 */
export { type Admission, createRelay, type RelayServer, type RelayServerOptions } from './create-relay.ts'
export { listenStun, type StunListener, type StunListenerOptions } from './listen-stun.ts'
