// What can be called: functions of libc and of Node's own OpenSSL over an arena. They are bound, and pointed at memory, in
// native.ts alone.
import type { Arena } from './native.ts'

/** Functions of libc. Each returns what libc returns, and a negative error number instead of -1. */
export interface LinuxCalls {
  /** open(2) of the zero-terminated path at `offset`. */
  open(path: Arena, offset: number, flags: number): number
  /** ioctl(2) whose argument is the memory at `offset`. */
  ioctl(fd: number, request: number, argument: Arena, offset: number, length: number): number
  /** ioctl(2) whose argument is a number. */
  ioctlNumber(fd: number, request: number, argument: number): number
  /** read(2) into the arena. */
  read(fd: number, into: Arena, offset: number, length: number): number
  /** write(2) from the arena. */
  write(fd: number, from: Arena, offset: number, length: number): number
  /** writev(2) of `count` iovecs that {@link Arena.setIovec} wrote at `offset`. */
  writev(fd: number, iovecs: Arena, offset: number, count: number): number
  /** sendmsg(2) of the header that {@link Arena.setMessage} wrote at `offset`. */
  sendmsg(fd: number, message: Arena, offset: number, flags: number): number
  /** recvmsg(2) into the header that {@link Arena.setMessage} wrote at `offset`. */
  recvmsg(fd: number, message: Arena, offset: number, flags: number): number
  /** poll(2) over `count` pollfd of 8 bytes at `offset`; -1 waits for ever. */
  poll(fds: Arena, offset: number, count: number, timeout: number): number
  /** eventfd(2): a counter that poll can wait for. */
  eventfd(flags: number): number
  /** socket(2); protocol 0 when left out. */
  socket(family: number, type: number, protocol?: number): number
  /** socketpair(2) of the Unix family: the two file descriptors, 4 bytes each, go to `offset`. */
  socketpair(type: number, into: Arena, offset: number): number
  /** bind(2) to the socket address at `offset`. */
  bind(fd: number, address: Arena, offset: number, length: number): number
  /** getsockname(2): the address goes to `offset`; the word at `lengthAt` says how long it may be, and then is. */
  getsockname(fd: number, address: Arena, offset: number, lengthAt: number): number
  /** setsockopt(2) with the value at `offset`. */
  setsockopt(fd: number, level: number, option: number, value: Arena, offset: number, length: number): number
  /**
   * setsockopt(2), level SOL_SOCKET, with a struct sock_fprog that is written at `at` (16 bytes) and names `count`
   * instructions of 8 bytes at `offset`.
   */
  setSocketFilter(fd: number, option: number, arena: Arena, at: number, offset: number, count: number): number
  /** close(2). */
  close(fd: number): number
}

/** ChaCha20 and Poly1305 by themselves, as OpenSSL has them inside. */
export interface OpenSslRaw {
  /**
   * XORs `length` bytes at `offset` with the key stream.
   *
   * @param key - Where the 32 bytes of the key lie.
   * @param block - Where 16 bytes lie: number of the first block (little-endian), then the nonce.
   */
  chacha20(arena: Arena, offset: number, length: number, key: number, block: number): void
  /** Writes the 16 bytes of the tag of `length` bytes to `tag`, under the one-time key of 32 bytes at `key`. */
  poly1305(arena: Arena, offset: number, length: number, key: number, tag: number): void
}

/** ChaCha20-Poly1305 whole, by OpenSSL's public functions. */
export interface OpenSslEvp {
  /** Seals `length` bytes in place and writes the tag behind them. `nonce` is where its 12 bytes lie. */
  seal(arena: Arena, offset: number, length: number, key: number, nonce: number): void
  /** Opens `length` bytes in place, their tag behind them. When it returns `false` the bytes mean nothing. */
  open(arena: Arena, offset: number, length: number, key: number, nonce: number): boolean
  /** Overwrites what it keeps of the keys it was given. It may be used again. */
  forget(): void
}
