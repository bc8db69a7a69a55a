/**
 * The shape of a protocol machine (bytes and time in, work out) and the loop that drives one.
 *
 * @packageDocumentation
 */
export {}
