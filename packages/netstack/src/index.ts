/**
 * TCP, UDP and ICMP in user space.
 *
 * @packageDocumentation
 */
export {}
