/**
 * Logs a node in to a control server and follows its map.
 *
 * @packageDocumentation
 */
export {}
