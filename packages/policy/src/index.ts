/**
 * From the written policy to each node's rules, peers and verdicts, with reasons.
 *
 * @packageDocumentation
 */
export {}
