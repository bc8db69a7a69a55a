// The only file of the package that holds raw pointers: a few calls of libc through node:ffi, and the arena every
// byte they touch lives in. node:ffi is experimental, so whatever it gets wrong is looked for, and mended, here.
import type * as FfiModule from 'node:ffi'
import { getSystemErrorMessage, getSystemErrorName } from 'node:util'

type Ffi = typeof FfiModule

/** Flags and request numbers of Linux, with the names its headers give them. */
export const O_RDWR = 0o2
export const O_NONBLOCK = 0o4000
export const O_CLOEXEC = 0o2000000
export const EFD_CLOEXEC = O_CLOEXEC
export const POLLIN = 0x1
export const POLLERR = 0x8
export const TUNSETIFF = 0x400454ca
export const EPERM = 1
export const ENOENT = 2
export const EINTR = 4
export const ENXIO = 6
export const EAGAIN = 11
export const EACCES = 13
export const EBUSY = 16
export const ENODEV = 19
export const EINVAL = 22

/**
 * Memory that libc may be pointed at. A shared buffer never moves and is freed only when the last thread drops
 * it, and every pointer is made from an arena that the caller is holding at that moment: so no pointer outlives
 * its memory. Offsets are checked, lengths too.
 */
export class Arena {
  /** All of it. */
  readonly bytes: Uint8Array<SharedArrayBuffer>
  /** What to hand to another thread, which makes its own arena of it. */
  readonly buffer: SharedArrayBuffer
  readonly #base: bigint

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.bytes = new Uint8Array(buffer)
    this.#base = ffi().getRawPointer(this.bytes)
  }

  /** Returns the address of `offset`, after checking that `length` bytes follow it. For this file alone. */
  pointer(offset: number, length: number): bigint {
    if (offset < 0 || length < 0 || offset + length > this.bytes.length) {
      throw new RangeError(`outside the arena: ${offset} + ${length} of ${this.bytes.length}`)
    }
    return this.#base + BigInt(offset)
  }
}

/** The calls. Each returns what libc returns, and a negative error number instead of -1. */
export interface Sys {
  /** open(2) of the zero-terminated path at `offset`. */
  open(path: Arena, offset: number, flags: number): number
  /** ioctl(2) whose argument is the memory at `offset`. */
  ioctl(fd: number, request: number, argument: Arena, offset: number, length: number): number
  /** read(2) into the arena. */
  read(fd: number, into: Arena, offset: number, length: number): number
  /** write(2) from the arena. */
  write(fd: number, from: Arena, offset: number, length: number): number
  /** poll(2) over `count` pollfd of 8 bytes at `offset`; -1 waits for ever. */
  poll(fds: Arena, offset: number, count: number, timeout: number): number
  /** eventfd(2): a counter that poll can wait for. */
  eventfd(flags: number): number
  /** close(2). */
  close(fd: number): number
}

let loaded: Ffi | undefined
let bound: Sys | undefined

/** Returns why this runtime cannot call libc, or `undefined` when it can. */
export function ffiUnsupportedReason(): string | undefined {
  if (process.platform !== 'linux') return `TUN needs Linux, this is ${process.platform}`
  try {
    sys()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Returns the calls, bound once a thread. Throws a plain sentence where node:ffi is missing or forbidden. */
export function sys(): Sys {
  bound ??= bind(ffi())
  return bound
}

/** Returns `EPERM: operation not permitted` for the negative result of a call. */
export function describeErrno(result: number): string {
  try {
    return `${getSystemErrorName(result)}: ${getSystemErrorMessage(result)}`
  } catch {
    return `error ${-result}`
  }
}

function ffi(): Ffi {
  loaded ??= loadFfi()
  return loaded
}

/** Loads node:ffi without the warning that it is experimental: who runs a daemon cannot act on it. */
function loadFfi(): Ffi {
  // oxlint-disable-next-line typescript/unbound-method -- it is put back as it was, never called
  const emitWarning = process.emitWarning
  process.emitWarning = () => undefined
  try {
    const module = process.getBuiltinModule('node:ffi') as Ffi | undefined
    if (module === undefined)
      throw new Error(
        `TUN needs node:ffi (Node 26.1 or newer), which this Node ${process.versions.node} lacks`,
      )
    return module
  } finally {
    process.emitWarning = emitWarning
  }
}

function bind({ DynamicLibrary, getInt32 }: Ffi): Sys {
  const libc = new DynamicLibrary(null)
  // At most three arguments, and results declared as i32: the fast path of node:ffi, and no BigInt for each packet.
  const open = libc.getFunction('open', { return: 'i32', arguments: ['pointer', 'i32'] })
  const ioctl = libc.getFunction('ioctl', { return: 'i32', arguments: ['i32', 'u64', 'pointer'] })
  const read = libc.getFunction('read', { return: 'i32', arguments: ['i32', 'pointer', 'u32'] })
  const write = libc.getFunction('write', { return: 'i32', arguments: ['i32', 'pointer', 'u32'] })
  const poll = libc.getFunction('poll', { return: 'i32', arguments: ['pointer', 'u32', 'i32'] })
  const eventfd = libc.getFunction('eventfd', { return: 'i32', arguments: ['u32', 'i32'] })
  const close = libc.getFunction('close', { return: 'i32', arguments: ['i32'] })
  const errnoLocation = libc.getFunction('__errno_location', { return: 'pointer', arguments: [] })
  // errno belongs to the thread and is read straight after the call, before anything else can set it.
  const checked = (result: number): number => (result < 0 ? -getInt32(errnoLocation(), 0) : result)
  return {
    open: (path, offset, flags) => checked(open(path.pointer(offset, 1), flags)),
    ioctl: (fd, request, argument, offset, length) =>
      checked(ioctl(fd, BigInt(request), argument.pointer(offset, length))),
    read: (fd, into, offset, length) => checked(read(fd, into.pointer(offset, length), length)),
    write: (fd, from, offset, length) => checked(write(fd, from.pointer(offset, length), length)),
    poll: (fds, offset, count, timeout) => checked(poll(fds.pointer(offset, count * 8), count, timeout)),
    eventfd: (flags) => checked(eventfd(0, flags)),
    close: (fd) => checked(close(fd)),
  }
}
