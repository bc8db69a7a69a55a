/**
 * Finds and keeps the best path to each peer: STUN, netcheck, disco, relays.
 *
 * @packageDocumentation
 */
export {}
