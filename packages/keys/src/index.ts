/**
 * Node, disco and machine keys: make, write, read, agree, and the NaCl box between them.
 *
 * @packageDocumentation
 */
export {}
