// A machine that vanished says nothing, and TCP goes on sending to it for a quarter of an hour. With a user timeout
// (RFC 5482) it gives up when nothing was acknowledged for so long. Linux hands what is set on a socket that listens down to
// every connection that it takes.
import type { Server } from 'node:net'
import { Arena, linuxCalls, unsupportedReason } from '@mesh/linux/node'

/** What Linux calls the protocol and the option (tcp(7)). */
const IPPROTO_TCP = 6
const TCP_USER_TIMEOUT = 18

/**
 * Lets connections end on which nothing was acknowledged for so many milliseconds. Returns whether this platform can: where
 * it cannot, TCP's own patience holds.
 */
export function setUserTimeout(server: Server, milliseconds: number): boolean {
  const fd = descriptorOf(server)
  if (fd === undefined || unsupportedReason() !== undefined) return false
  const value = new Arena(new SharedArrayBuffer(4))
  new DataView(value.bytes.buffer, value.bytes.byteOffset).setUint32(0, milliseconds, true)
  return linuxCalls().setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, value, 0, 4) === 0
}

// Node has no public word for it.
function descriptorOf(server: Server): number | undefined {
  const handle: unknown = Reflect.get(server, '_handle')
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined
  return typeof fd === 'number' && fd >= 0 ? fd : undefined
}
