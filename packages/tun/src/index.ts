/**
 * A packet device: Linux TUN by node:ffi, an in-memory pair, a pcap tap.
 *
 * @packageDocumentation
 */
export {}
