/**
 * A network of NATs, loss and latency under a virtual clock.
 *
 * @packageDocumentation
 */
export {}
