// The seat for a pair of UDP sockets, one for each family, on the same port number.
import type { Endpoint } from '@mesh/wire/ip'

/** Port numbers that the two sockets are bound to; `undefined` where the family has no socket. */
export interface SocketPorts {
  /** The IPv4 port. */
  readonly v4: number | undefined
  /** The IPv6 port. */
  readonly v6: number | undefined
  /** IPv4 is reached by the IPv6 socket, through a network that translates (NAT64). */
  readonly isV4Translated?: boolean
}

/** What went wrong with one send or one socket. */
export interface SocketTrouble {
  /** The system's name for it, such as `EHOSTUNREACH`. */
  readonly code: string
  /** Where the datagram should have gone, when known. */
  readonly to: Endpoint | undefined
}

/** Who listens to a {@link DatagramSocket}. */
export interface DatagramListener {
  /** Takes one datagram. `bytes` are lent for the call; `from` is the same object for the same source, mostly. */
  onDatagram(bytes: Uint8Array, from: Endpoint): void
  /** Hears of trouble. The socket goes on; ICMP errors from dead peers are routine. */
  onTrouble(trouble: SocketTrouble): void
}

/** UDP of both families as one thing. Filled by `openUdpSockets` of `@mesh/magicsock/node`. */
export interface DatagramSocket {
  /** The ports bound now. */
  readonly ports: SocketPorts
  /** Names the one listener; datagrams that arrive before are lost. */
  listen(listener: DatagramListener): void
  /** Sends one datagram, or drops it: UDP promises nothing, and nothing can go to port 0. `bytes` may be reused after the call. */
  send(bytes: Uint8Array, to: Endpoint): void
  /**
   * Has datagrams sent whole or not at all, whatever the path's MTU, or (initially) cut up where that must be. Returns whether
   * that is so from now on; absent where nobody can say so.
   */
  setDontFragment?(whole: boolean): boolean
  /** Closes both sockets and opens them again, on the same ports where possible. */
  rebind(): Promise<void>
  /** Closes both. Idempotent. */
  close(): Promise<void>
}
