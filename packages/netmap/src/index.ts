/**
 * The immutable map of the network, how updates change it, and what changed.
 *
 * @packageDocumentation
 */
export {}
