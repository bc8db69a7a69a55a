/**
 * A DERP relay and its STUN answerer, mountable in any HTTP server.
 *
 * @packageDocumentation
 */
export {}
