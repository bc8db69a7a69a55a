// UDP sockets opened for speed: a train of datagrams goes out in one call, and several that came together arrive in one.
import {
  AF_INET,
  AF_INET6,
  IPPROTO_IPV6,
  IPV6_V6ONLY,
  O_CLOEXEC,
  O_NONBLOCK,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SOCK_DGRAM,
  SOL_SOCKET,
  SOL_UDP,
  UDP_GRO,
  UDP_SEGMENT,
} from '@mesh/linux'
import { Arena, type LinuxCalls, linuxCalls } from '@mesh/linux/node'
import type { IpAddress } from '@mesh/wire/ip'
import { decodeSocketAddress, encodeSocketAddress, MAX_SOCKET_ADDRESS } from './socket-address.ts'

/** An open socket. */
export interface UdpPort {
  /** Its file descriptor, non-blocking. */
  readonly fd: number
  /** The port it is bound to. */
  readonly port: number
  /** Whether the kernel cuts up what is sent (UDP_SEGMENT). */
  readonly segments: boolean
  /** Whether the kernel joins what is received (UDP_GRO). */
  readonly joins: boolean
}

/** Bytes of socket buffer asked for in each direction. */
const BUFFER_SIZE = 7 * 1024 * 1024
const ANY = { 4: new Uint8Array(4), 16: new Uint8Array(16) } as const

/** Opens and binds a socket of a family; the negative error number when that cannot be. */
export function openUdpPort(family: 'v4' | 'v6', port: number, address?: IpAddress): UdpPort | number {
  const calls = linuxCalls()
  const arena = new Arena(new SharedArrayBuffer(128))
  const fd = calls.socket(family === 'v4' ? AF_INET : AF_INET6, SOCK_DGRAM | O_NONBLOCK | O_CLOEXEC)
  if (fd < 0) return fd
  const set = (level: number, option: number, value: number): boolean =>
    setOption(calls, arena, fd, level, option, value)
  if (family === 'v6') set(IPPROTO_IPV6, IPV6_V6ONLY, 1)
  if (!set(SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_SIZE)) set(SOL_SOCKET, SO_RCVBUF, BUFFER_SIZE)
  if (!set(SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_SIZE)) set(SOL_SOCKET, SO_SNDBUF, BUFFER_SIZE)
  const name = encodeSocketAddress({ address: address ?? ANY[family === 'v4' ? 4 : 16], port })
  arena.bytes.set(name)
  const bound = calls.bind(fd, arena, 0, name.length)
  if (bound < 0) {
    calls.close(fd)
    return bound
  }
  // Zero is no segmentation, and tells whether the option is known.
  const segments = set(SOL_UDP, UDP_SEGMENT, 0)
  const joins = set(SOL_UDP, UDP_GRO, 1)
  return { fd, port: boundPort(calls, arena, fd), segments, joins }
}

function setOption(
  calls: LinuxCalls,
  arena: Arena,
  fd: number,
  level: number,
  option: number,
  value: number,
): boolean {
  new DataView(arena.bytes.buffer).setInt32(64, value, true)
  return calls.setsockopt(fd, level, option, arena, 64, 4) === 0
}

function boundPort(calls: LinuxCalls, arena: Arena, fd: number): number {
  new DataView(arena.bytes.buffer).setUint32(64, MAX_SOCKET_ADDRESS, true)
  calls.getsockname(fd, arena, 0, 64)
  return decodeSocketAddress(arena.bytes, MAX_SOCKET_ADDRESS)?.port ?? 0
}
