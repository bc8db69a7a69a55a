/**
 * A whole mesh node in your process: join, dial, listen.
 *
 * @packageDocumentation
 */
export {}
