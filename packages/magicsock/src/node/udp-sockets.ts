// The DatagramSocket seat filled with node:dgram.
import type { IpAddress } from '@mesh/wire/ip'
import type { DatagramSocket } from '../datagram-socket.ts'

/** How {@link openUdpSockets} binds. */
export interface UdpOptions {
  /** The port to ask for; 0 or none for any. */
  readonly port?: number
}

/** Opens an IPv4 and, where the machine has it, an IPv6 socket on the same port number. */
export function openUdpSockets(options: UdpOptions): Promise<DatagramSocket> {
  return Promise.reject(new Error(`not written yet ${options.port}`))
}

/** Returns the addresses of this machine's interfaces that peers may be told of (data-plane.md section 5.8). */
export function localAddresses(allowLoopback: boolean): IpAddress[] {
  throw new Error(`not written yet ${allowLoopback}`)
}
