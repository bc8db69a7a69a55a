// What the stack has to say, and why it dropped what it dropped.
import type { Endpoint, IpAddress } from '@mesh/wire/ip'
import type { TcpCloseReason } from './tcp/tcp-connection.ts'

/** A UDP socket of the stack, by number. */
export type UdpSocketId = number

/** A ping under way, by number. */
export type PingId = number

/** A TCP listener of the stack, by number. */
export type TcpListenerId = number

/** A TCP connection of the stack, by number. */
export type TcpConnectionId = number

/** What the owner of a stack has to do next. Bytes are the owner's to keep, unless said otherwise. */
export type NetstackOutput =
  /** Send this IP packet to the network. */
  | { readonly kind: 'packet'; readonly packet: Uint8Array }
  /** A datagram arrived. `payload` views the packet it came in, so copy what must outlive that packet. */
  | {
      readonly kind: 'datagram'
      readonly socket: UdpSocketId
      readonly from: Endpoint
      /** The own address and port it was sent to. */
      readonly to: Endpoint
      readonly payload: Uint8Array
    }
  /** The network says that nobody listens where this socket sent to. */
  | { readonly kind: 'unreachable'; readonly socket: UdpSocketId; readonly to: Endpoint }
  /** Somebody opened a connection to a listener. */
  | {
      readonly kind: 'tcp-accepted'
      readonly listener: TcpListenerId
      readonly connection: TcpConnectionId
      readonly from: Endpoint
      /** The own address and port it was opened to. */
      readonly to: Endpoint
    }
  /** A connection of ours is open. */
  | { readonly kind: 'tcp-connected'; readonly connection: TcpConnectionId }
  /** Bytes arrived on a connection. Once they are taken, `consumeTcp` makes room for as many more. */
  | { readonly kind: 'tcp-data'; readonly connection: TcpConnectionId; readonly bytes: Uint8Array }
  /** The peer sends no more on this connection; it may still be sent to. */
  | { readonly kind: 'tcp-ended'; readonly connection: TcpConnectionId }
  /** There is room to send again, after `sendTcp` had taken less than it was given. */
  | { readonly kind: 'tcp-writable'; readonly connection: TcpConnectionId }
  /** A connection is over; nothing more is said of it. */
  | { readonly kind: 'tcp-closed'; readonly connection: TcpConnectionId; readonly reason: TcpCloseReason }
  /** A ping was answered, after so many milliseconds. */
  | { readonly kind: 'pong'; readonly ping: PingId; readonly from: IpAddress; readonly latency: number }
  /** A ping was not answered in time, or the network says that it cannot be. */
  | {
      readonly kind: 'ping-failed'
      readonly ping: PingId
      readonly to: IpAddress
      readonly reason: PingFailure
    }

/** Why a ping has no answer. */
export type PingFailure = 'timeout' | 'unreachable'

/** Why a packet from the network was dropped. */
export const NETSTACK_DROPS = [
  'malformed',
  'checksum',
  'not-ours',
  'fragment',
  'bad-source',
  'no-listener',
  'unsupported',
] as const

/**
 * Why a packet from the network was dropped: no IP packet, a wrong checksum, another's address, a fragment (there
 * is no reassembly), a source that nobody can answer, nobody there to take it, or a protocol the stack lacks.
 */
export type NetstackDrop = (typeof NETSTACK_DROPS)[number]

/** What went through a stack. */
export interface NetstackCounters {
  /** Packets from the network. */
  readonly packetsIn: number
  /** Packets to the network. */
  readonly packetsOut: number
  /** Packets from the network that led to nothing, by reason. */
  readonly drops: Readonly<Record<NetstackDrop, number>>
}
