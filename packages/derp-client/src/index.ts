/**
 * One connection to a DERP relay, and the choice among the relays of a region.
 *
 * @packageDocumentation
 */
export {}
