// One UDP socket of node:dgram, bound: the options every one of ours has.
import { createSocket, type Socket } from 'node:dgram'

/** Addresses are sent to as text that is an address already: nothing to look up, and nothing to wait for. */
type Lookup = (
  host: string,
  options: unknown,
  callback: (error: null, address: string, family: number) => void,
) => void

/**
 * Binds a socket to a port on all addresses of its family. It sends in the very call. Its buffers are the system's unless
 * `bufferSize` says otherwise.
 *
 * @throws Error with the system's `code`.
 */
export function bindSocket(type: 'udp4' | 'udp6', port: number, bufferSize?: number): Promise<Socket> {
  const lookup: Lookup = (host, _options, callback) => callback(null, host, type === 'udp4' ? 4 : 6)
  // One family a socket: a dual one would name IPv4 senders as mapped IPv6 ones.
  const socket = createSocket({ type, ipv6Only: type === 'udp6', lookup })
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => {
      socket.close()
      reject(error)
    })
    socket.bind({ port, exclusive: true }, () => {
      socket.removeAllListeners('error')
      if (bufferSize !== undefined) growBuffers(socket, bufferSize)
      resolve(socket)
    })
  })
}

/** Closes a socket and waits until its port is free. */
export function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.close(() => resolve())
  })
}

function growBuffers(socket: Socket, size: number): void {
  try {
    socket.setRecvBufferSize(size)
    socket.setSendBufferSize(size)
  } catch {
    // The system's own size will do.
  }
}
