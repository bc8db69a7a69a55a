/**
 * A host in user space: answers ping, pings others, and has UDP sockets and TCP connections, for a node without a TUN
 * device. A machine without input or output of its own: IP packets and the time go in, IP packets and events come out.
 *
 * @packageDocumentation
 */
export { NetstackError, type NetstackErrorCode } from './errors.ts'
export {
  type BindOptions,
  type BoundTcp,
  type BoundUdp,
  Netstack,
  type NetstackOptions,
  type PingOptions,
} from './netstack.ts'
export {
  NETSTACK_DROPS,
  type NetstackCounters,
  type NetstackDrop,
  type NetstackOutput,
  type PingFailure,
  type PingId,
  type TcpConnectionId,
  type TcpListenerId,
  type UdpSocketId,
} from './outputs.ts'
export { PING_TIMEOUT } from './pings.ts'
export { ICMP_ERRORS_PER_SECOND } from './refusals.ts'
export { TCP_BUFFER, type TcpCloseReason } from './tcp/tcp-connection.ts'
export { TCP_CONNECTION_LIMIT, TCP_OPENING_LIMIT, TCP_REASSEMBLY_LIMIT } from './tcp/tcp-table.ts'
