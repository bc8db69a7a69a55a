/**
 * IP addresses, ranges and endpoints, and the headers of IPv4, IPv6, UDP, TCP and ICMP.
 *
 * @packageDocumentation
 */
export * from './address.ts'
export * from './checksum.ts'
export * from './endpoint.ts'
export {
  type IpHeader,
  encodeIpPacket,
  encodeIpv4Header,
  encodeIpv6Header,
  ipHeaderLength,
} from './header.ts'
export * from './icmp.ts'
export * from './packet.ts'
export * from './prefix.ts'
export * from './protocol.ts'
export * from './scope.ts'
export * from './tcp.ts'
export * from './udp.ts'
export * from './verify.ts'
