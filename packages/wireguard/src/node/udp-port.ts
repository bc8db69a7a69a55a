// UDP sockets opened for speed: a train of datagrams goes out in one call, and several that came together arrive in one.
import {
  AF_INET,
  AF_INET6,
  IP_MTU_DISCOVER,
  IP_PKTINFO,
  IPPROTO_IP,
  IPPROTO_IPV6,
  IPV6_MTU_DISCOVER,
  IPV6_RECVPKTINFO,
  IPV6_V6ONLY,
  O_CLOEXEC,
  O_NONBLOCK,
  PMTUDISC_PROBE,
  PMTUDISC_WANT,
  SO_ATTACH_REUSEPORT_CBPF,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEPORT,
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

/** How sockets are opened. */
export interface UdpPortOptions {
  /** The address to bind to; all of the family when left out. */
  readonly address?: IpAddress | undefined
  /** Whether each datagram says which address of ours it came to (IP_PKTINFO). */
  readonly tellsLocal?: boolean
}

/** Bytes of socket buffer asked for in each direction. */
const BUFFER_SIZE = 7 * 1024 * 1024
const ANY = { 4: new Uint8Array(4), 16: new Uint8Array(16) } as const

/**
 * Opens several sockets on one port, and has the kernel give each datagram to the one that its session's index says:
 * `openerOf` in plane-messages.ts. The negative error number when that cannot be.
 */
export function openUdpPorts(
  family: 'v4' | 'v6',
  port: number,
  count: number,
  options: UdpPortOptions,
): readonly UdpPort[] | number {
  // Alone first: sockets that share a port would share it with another process's that do.
  const first = openUdpPort(family, port, options)
  if (typeof first === 'number' || count === 1) return typeof first === 'number' ? first : [first]
  const calls = linuxCalls()
  calls.close(first.fd)
  const opened: UdpPort[] = []
  let failed = 0
  while (opened.length < count && failed === 0) {
    const next = openUdpPort(family, first.port, options, true)
    if (typeof next === 'number') failed = next
    else opened.push(next)
  }
  if (failed === 0) failed = steer(calls, opened[0]?.fd ?? -1, count)
  if (failed === 0) return opened
  for (const { fd } of opened) calls.close(fd)
  return failed
}

/** Instructions of a classic packet filter: load the word at an offset of the payload, divide for the rest, return it. */
const LOAD_WORD = 0x20
const MODULO = 0x94
const RETURN = 0x16
const INSTRUCTION_BYTES = 8
/** Where the receiver's index stands in a datagram of a session. */
const RECEIVER = 4

function steer(calls: LinuxCalls, fd: number, sockets: number): number {
  const arena = new Arena(new SharedArrayBuffer(64))
  const view = new DataView(arena.bytes.buffer)
  const program = [
    [LOAD_WORD, RECEIVER],
    [MODULO, sockets],
    [RETURN, 0],
  ] as const
  for (const [index, [code, operand]] of program.entries()) {
    view.setUint16(16 + index * INSTRUCTION_BYTES, code, true)
    view.setUint32(16 + index * INSTRUCTION_BYTES + 4, operand, true)
  }
  return calls.setSocketFilter(fd, SO_ATTACH_REUSEPORT_CBPF, arena, 0, 16, program.length)
}

/** Opens and binds a socket of a family; the negative error number when that cannot be. */
export function openUdpPort(
  family: 'v4' | 'v6',
  port: number,
  { address, tellsLocal = false }: UdpPortOptions = {},
  shares = false,
): UdpPort | number {
  const calls = linuxCalls()
  const arena = new Arena(new SharedArrayBuffer(128))
  const fd = calls.socket(family === 'v4' ? AF_INET : AF_INET6, SOCK_DGRAM | O_NONBLOCK | O_CLOEXEC)
  if (fd < 0) return fd
  const set = (level: number, option: number, value: number): boolean =>
    setOption(calls, arena, fd, level, option, value)
  if (shares) set(SOL_SOCKET, SO_REUSEPORT, 1)
  if (family === 'v6') set(IPPROTO_IPV6, IPV6_V6ONLY, 1)
  if (!set(SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_SIZE)) set(SOL_SOCKET, SO_RCVBUF, BUFFER_SIZE)
  if (!set(SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_SIZE)) set(SOL_SOCKET, SO_SNDBUF, BUFFER_SIZE)
  if (tellsLocal && family === 'v4') set(IPPROTO_IP, IP_PKTINFO, 1)
  if (tellsLocal && family === 'v6') set(IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
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

/**
 * Has a socket send its datagrams whole or not at all, whatever the kernel believes of the path's MTU, or cut up where that
 * must be. Returns false when the kernel refuses.
 */
export function setDontFragment(family: 'v4' | 'v6', fd: number, whole: boolean): boolean {
  const arena = new Arena(new SharedArrayBuffer(128))
  const how = whole ? PMTUDISC_PROBE : PMTUDISC_WANT
  return family === 'v4'
    ? setOption(linuxCalls(), arena, fd, IPPROTO_IP, IP_MTU_DISCOVER, how)
    : setOption(linuxCalls(), arena, fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, how)
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
