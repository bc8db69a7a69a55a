// The only file of the project that holds raw pointers (a lint rule keeps it so): the arena that every byte lives in
// which native code may touch, a few functions of libc, and the two halves of ChaCha20-Poly1305 in Node's own OpenSSL.
//
// The rules that keep it sound. A pointer is made here, from an arena the caller holds at that moment, after its offset
// and length were checked, and it never leaves this file; what must be written into a message header is written here as
// well. An arena's memory can neither move, grow nor be given away: shared memory, or WebAssembly's. node:ffi is
// experimental, so whatever it gets wrong is looked for, and mended, here.
import type * as FfiModule from 'node:ffi'
import type { LinuxCalls, OpenSslEvp, OpenSslRaw } from './calls.ts'

type Ffi = typeof FfiModule

/** Memory fit for an arena, shared or a `WebAssembly.Memory`: it stays where it is for as long as somebody holds it. */
export type ArenaMemory = SharedArrayBuffer | WasmMemory

/** A `WebAssembly.Memory`, which nobody may grow. */
export interface WasmMemory {
  /** All of it. */
  readonly buffer: ArrayBuffer
}

/** The types of Node do not know WebAssembly. */
const { Memory } = (globalThis as unknown as { WebAssembly: { Memory: new (limits: object) => WasmMemory } })
  .WebAssembly

const TWO_32 = 0x1_0000_0000
/** Addresses remembered for each arena, by a hash of their offset: making one costs two heap objects. */
const REMEMBERED_ADDRESSES = 16_384
const ADDRESS_SHIFT = 18
const MAX_PROBES = 8
/** struct iovec and struct msghdr of 64-bit Linux. */
const IOVEC_BYTES = 16
const MSGHDR_BYTES = 56
const AF_UNIX = 1
const MSGHDR_NAME = 0
const MSGHDR_NAME_LENGTH = 8
const MSGHDR_IOVECS = 16
const MSGHDR_IOVEC_COUNT = 24
const MSGHDR_CONTROL = 32
const MSGHDR_CONTROL_LENGTH = 40
const MSGHDR_FLAGS = 48
const POLLFD_BYTES = 8
/** struct sock_filter, and struct sock_fprog: how many there are, and where. */
const INSTRUCTION_BYTES = 8
const FILTER_BYTES = 16
const SOL_SOCKET = 1

/** Returns the address of a checked range. Set by {@link Arena}, so that no other file can ask for one. */
let addressOf: (arena: Arena, offset: number, length: number) => bigint

/** A range of an arena. */
interface Range {
  readonly offset: number
  readonly length: number
}

/** Memory that native code may be pointed at. Every range is checked; a wrong one throws a `RangeError`. */
export class Arena {
  /** All of it. */
  readonly bytes: Uint8Array
  readonly #memory: ArenaMemory
  readonly #view: DataView
  readonly #base: bigint
  readonly #baseHigh: number
  readonly #baseLow: number
  readonly #offsets = new Int32Array(REMEMBERED_ADDRESSES).fill(-1)
  readonly #addresses: bigint[] = Array.from({ length: REMEMBERED_ADDRESSES }, () => 0n)

  static {
    addressOf = (arena, offset, length) => arena.#addressOf(offset, length)
  }

  /** @throws TypeError for memory that could be moved or given away. */
  constructor(memory: ArenaMemory) {
    const buffer = memory instanceof Memory ? memory.buffer : memory
    // An ArrayBuffer can be transferred to another thread, and its memory freed there.
    if (!(memory instanceof Memory || memory instanceof SharedArrayBuffer)) {
      throw new TypeError('memory: neither shared nor of WebAssembly')
    }
    this.#memory = memory
    this.bytes = new Uint8Array(buffer)
    this.#view = new DataView(buffer)
    this.#base = ffi().getRawPointer(this.bytes)
    this.#baseHigh = Number(this.#base >> 32n)
    this.#baseLow = Number(this.#base & 0xffff_ffffn)
  }

  /** What it was made of, for another thread's own arena. */
  get memory(): ArenaMemory {
    return this.#memory
  }

  /** Writes a struct iovec at `at` that names `length` bytes at `offset`. */
  setIovec(at: number, offset: number, length: number): void {
    this.#check(offset, length)
    this.#check(at, IOVEC_BYTES)
    this.#setAddress(at, offset)
    this.#setSize(at + 8, length)
  }

  /**
   * Writes a struct msghdr at `at`: `count` iovecs, and optionally the name (a socket address) and the control area.
   * Receiving changes the lengths of those two: write the header again before it is used again.
   */
  setMessage(at: number, iovecs: number, count: number, name?: Range, control?: Range): void {
    this.#check(at, MSGHDR_BYTES)
    this.#check(iovecs, count * IOVEC_BYTES)
    this.#setRange(at + MSGHDR_NAME, at + MSGHDR_NAME_LENGTH, name)
    this.#setAddress(at + MSGHDR_IOVECS, iovecs)
    this.#setSize(at + MSGHDR_IOVEC_COUNT, count)
    this.#setRange(at + MSGHDR_CONTROL, at + MSGHDR_CONTROL_LENGTH, control)
    this.#setSize(at + MSGHDR_FLAGS, 0)
  }

  /** Returns how many bytes of name the kernel wrote. */
  messageNameLength(at: number): number {
    return this.#view.getUint32(at + MSGHDR_NAME_LENGTH, true)
  }

  /** Returns how many bytes of control data the kernel wrote. */
  messageControlLength(at: number): number {
    return this.#view.getUint32(at + MSGHDR_CONTROL_LENGTH, true)
  }

  #setRange(addressAt: number, lengthAt: number, range: Range | undefined): void {
    if (range === undefined) {
      this.#setSize(addressAt, 0)
      this.#setSize(lengthAt, 0)
      return
    }
    this.#check(range.offset, range.length)
    this.#setAddress(addressAt, range.offset)
    this.#setSize(lengthAt, range.length)
  }

  #setAddress(at: number, offset: number): void {
    const low = this.#baseLow + offset
    this.#view.setUint32(at, low, true)
    this.#view.setUint32(at + 4, this.#baseHigh + Math.floor(low / TWO_32), true)
  }

  #setSize(at: number, size: number): void {
    this.#view.setUint32(at, size, true)
    this.#view.setUint32(at + 4, 0, true)
  }

  #addressOf(offset: number, length: number): bigint {
    this.#check(offset, length)
    const home = Math.imul(offset, 0x9e37_79b1) >>> ADDRESS_SHIFT
    let place = home
    for (let probe = 0; probe < MAX_PROBES; probe += 1) {
      const found = this.#offsets[place]
      if (found === offset) return this.#addresses[place] as bigint
      if (found === -1) break
      place = (place + 1) & (REMEMBERED_ADDRESSES - 1)
    }
    if (this.#offsets[place] !== -1) place = home
    const address = this.#base + BigInt(offset)
    this.#offsets[place] = offset
    this.#addresses[place] = address
    return address
  }

  #check(offset: number, length: number): void {
    if (offset >= 0 && length >= 0 && offset + length <= this.bytes.length) return
    throw new RangeError(`outside the arena: ${offset} + ${length} of ${this.bytes.length}`)
  }
}

let loaded: Ffi | undefined
/** Libraries stay open: a function does not keep its library. */
const libraries: unknown[] = []
let bound: LinuxCalls | undefined

/** Returns why this runtime cannot call Linux, as one clause for a person, or `undefined` when it can. */
export function unsupportedReason(): string | undefined {
  if (process.platform !== 'linux') return `it needs Linux, this is ${process.platform}`
  if (process.arch !== 'x64' && process.arch !== 'arm64')
    return `it needs a 64-bit processor it knows, this is ${process.arch}`
  try {
    linuxCalls()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Returns the calls, bound once a thread. Throws a plain sentence where node:ffi is missing or forbidden. */
export function linuxCalls(): LinuxCalls {
  bound ??= bindLibc(ffi())
  return bound
}

/** Returns OpenSSL's inner functions, or `undefined` when this Node does not show them. Test them before use. */
export function openSslRaw(): OpenSslRaw | undefined {
  return orUndefined(() => bindRaw(ffi()))
}

/** Returns OpenSSL's public functions, or `undefined` when this Node does not show them. Test them before use. */
export function openSslEvp(): OpenSslEvp | undefined {
  return orUndefined(() => bindEvp(ffi()))
}

function orUndefined<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
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
    if (module === undefined) {
      throw new Error(
        `it needs node:ffi (Node 26.1 or newer), which this Node ${process.versions.node} lacks`,
      )
    }
    return module
  } finally {
    process.emitWarning = emitWarning
  }
}

function bindLibc({ DynamicLibrary, toArrayBuffer }: Ffi): LinuxCalls {
  const libc = new DynamicLibrary(null)
  libraries.push(libc)
  // Numbers are called pointers in the calls on a packet's way: node:ffi hands a function of nothing but pointers out bare,
  // while one that takes anything else goes through JavaScript that checks, and allocates from four arguments on.
  const bare = (name: string) => libc.getFunction(name, { return: 'i32', arguments: pointers(3) })
  const read = bare('read')
  const write = bare('write')
  const writev = bare('writev')
  const sendmsg = bare('sendmsg')
  const recvmsg = bare('recvmsg')
  const poll = bare('poll')
  const open = libc.getFunction('open', { return: 'i32', arguments: ['pointer', 'i32'] })
  const ioctl = libc.getFunction('ioctl', { return: 'i32', arguments: ['i32', 'u64', 'u64'] })
  const eventfd = libc.getFunction('eventfd', { return: 'i32', arguments: ['u32', 'i32'] })
  const socket = libc.getFunction('socket', { return: 'i32', arguments: ['i32', 'i32', 'i32'] })
  const socketpair = libc.getFunction('socketpair', {
    return: 'i32',
    arguments: ['i32', 'i32', 'i32', 'pointer'],
  })
  const bind = libc.getFunction('bind', { return: 'i32', arguments: ['i32', 'pointer', 'u32'] })
  const getsockname = libc.getFunction('getsockname', {
    return: 'i32',
    arguments: ['i32', 'pointer', 'pointer'],
  })
  const setsockopt = libc.getFunction('setsockopt', {
    return: 'i32',
    arguments: ['i32', 'i32', 'i32', 'pointer', 'u32'],
  })
  const close = libc.getFunction('close', { return: 'i32', arguments: ['i32'] })
  const errnoLocation = libc.getFunction('__errno_location', { return: 'pointer', arguments: [] })
  // errno belongs to the thread, as this binding does, and is read straight after the call, before anything else can set it.
  const errno = new Int32Array(toArrayBuffer(errnoLocation(), 4, false))
  const checked = (result: number): number => (result < 0 ? -(errno[0] ?? 0) : result)
  return {
    open: (path, offset, flags) => checked(open(addressOf(path, offset, 1), flags)),
    ioctl: (fd, request, argument, offset, length) =>
      checked(ioctl(fd, BigInt(request), addressOf(argument, offset, length))),
    ioctlNumber: (fd, request, argument) => checked(ioctl(fd, BigInt(request), BigInt(argument))),
    read: (fd, into, offset, length) =>
      checked(read(numberOf(fd), addressOf(into, offset, length), numberOf(length))),
    write: (fd, from, offset, length) =>
      checked(write(numberOf(fd), addressOf(from, offset, length), numberOf(length))),
    writev: (fd, iovecs, offset, count) =>
      checked(writev(numberOf(fd), addressOf(iovecs, offset, count * IOVEC_BYTES), numberOf(count))),
    sendmsg: (fd, message, offset, flags) =>
      checked(sendmsg(numberOf(fd), addressOf(message, offset, MSGHDR_BYTES), numberOf(flags))),
    recvmsg: (fd, message, offset, flags) =>
      checked(recvmsg(numberOf(fd), addressOf(message, offset, MSGHDR_BYTES), numberOf(flags))),
    poll: (fds, offset, count, timeout) =>
      checked(poll(addressOf(fds, offset, count * POLLFD_BYTES), numberOf(count), numberOf(timeout))),
    eventfd: (flags) => checked(eventfd(0, flags)),
    socket: (family, type, protocol = 0) => checked(socket(family, type, protocol)),
    socketpair: (type, into, offset) => checked(socketpair(AF_UNIX, type, 0, addressOf(into, offset, 8))),
    bind: (fd, address, offset, length) => checked(bind(fd, addressOf(address, offset, length), length)),
    getsockname: (fd, address, offset, lengthAt) => {
      const length = new DataView(address.bytes.buffer).getUint32(lengthAt, true)
      return checked(getsockname(fd, addressOf(address, offset, length), addressOf(address, lengthAt, 4)))
    },
    setsockopt: (fd, level, option, value, offset, length) =>
      checked(setsockopt(fd, level, option, addressOf(value, offset, length), length)),
    setSocketFilter: (fd, option, arena, at, offset, count) => {
      const instructions = addressOf(arena, offset, count * INSTRUCTION_BYTES)
      const program = addressOf(arena, at, FILTER_BYTES)
      const view = new DataView(arena.bytes.buffer)
      view.setBigUint64(at, BigInt(count), true)
      view.setBigUint64(at + 8, instructions, true)
      return checked(setsockopt(fd, SOL_SOCKET, option, program, FILTER_BYTES))
    },
    close: (fd) => checked(close(fd)),
  }
}

/** Numbers as an argument that is called a pointer takes them, made once: the longest text and what goes round it. */
const NUMBERS: readonly bigint[] = Array.from({ length: 65_536 + 128 }, (_, number) => BigInt(number))
/** What poll(2) takes for ever, and the file descriptor of nothing. */
const MINUS_ONE = 0xffff_ffffn

/** Returns an int, or a size, of 32 bits at most. */
function numberOf(value: number): bigint {
  return value === -1 ? MINUS_ONE : (NUMBERS[value] ?? BigInt(value >>> 0))
}

function bindRaw({ DynamicLibrary, getRawPointer }: Ffi): OpenSslRaw {
  const node = new DynamicLibrary(null)
  libraries.push(node)
  // Sizes and numbers are called pointers here and below, too.
  const chacha20 = node.getFunction('ChaCha20_ctr32', { return: 'void', arguments: pointers(5) })
  const init = node.getFunction('Poly1305_Init', { return: 'void', arguments: pointers(2) })
  const update = node.getFunction('Poly1305_Update', { return: 'void', arguments: pointers(3) })
  const final = node.getFunction('Poly1305_Final', { return: 'void', arguments: pointers(2) })
  // Poly1305's context holds pointers to code. It lives in memory of its own, which no packet code can reach.
  const context = new Uint8Array(new SharedArrayBuffer(2_048))
  const at = getRawPointer(context)
  return {
    chacha20: (arena, offset, length, key, block) => {
      const text = addressOf(arena, offset, length)
      chacha20(text, text, numberOf(length), addressOf(arena, key, 32), addressOf(arena, block, 16))
    },
    poly1305: (arena, offset, length, key, tag) => {
      init(at, addressOf(arena, key, 32))
      update(at, addressOf(arena, offset, length), numberOf(length))
      final(at, addressOf(arena, tag, 16))
      hold(context)
    },
  }
}

function pointers(count: number): 'pointer'[] {
  return Array.from({ length: count }, () => 'pointer')
}

const EVP_CTRL_AEAD_GET_TAG = 0x10n
const EVP_CTRL_AEAD_SET_TAG = 0x11n
const TAG_BYTES = 16
const TAG_SIZE = 16n

function bindEvp({ DynamicLibrary, getRawPointer }: Ffi): OpenSslEvp {
  const node = new DynamicLibrary(null)
  libraries.push(node)
  const bind = (name: string, count: number) =>
    node.getFunction(name, { return: 'i32', arguments: pointers(count) })
  const reset = bind('EVP_CIPHER_CTX_reset', 1)
  const newContext = node.getFunction('EVP_CIPHER_CTX_new', { return: 'u64', arguments: [] })
  const cipher = node.getFunction('EVP_chacha20_poly1305', { return: 'u64', arguments: [] })
  const control = bind('EVP_CIPHER_CTX_ctrl', 4)
  const sealInit = bind('EVP_EncryptInit_ex', 5)
  const sealUpdate = bind('EVP_EncryptUpdate', 5)
  const sealFinal = bind('EVP_EncryptFinal_ex', 3)
  const openInit = bind('EVP_DecryptInit_ex', 5)
  const openUpdate = bind('EVP_DecryptUpdate', 5)
  const openFinal = bind('EVP_DecryptFinal_ex', 3)
  // One context for each direction; they live as long as the process.
  const sealing = newContext()
  const opening = newContext()
  const scratch = new Uint8Array(new SharedArrayBuffer(64))
  const written = getRawPointer(scratch)
  const rest = written + 16n
  must(sealing !== 0n && opening !== 0n, 'a context')
  const ready = (): void => {
    must(sealInit(sealing, cipher(), 0n, 0n, 0n) === 1, 'the cipher')
    must(openInit(opening, cipher(), 0n, 0n, 0n) === 1, 'the cipher')
  }
  ready()
  return {
    seal: (arena, offset, length, key, nonce) => {
      const text = addressOf(arena, offset, length + TAG_BYTES)
      must(sealInit(sealing, 0n, 0n, addressOf(arena, key, 32), addressOf(arena, nonce, 12)) === 1, 'a key')
      if (length > 0) must(sealUpdate(sealing, text, written, text, numberOf(length)) === 1, 'a text')
      must(sealFinal(sealing, rest, written) === 1, 'an end')
      const tag = addressOf(arena, offset + length, TAG_BYTES)
      must(control(sealing, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag) === 1, 'a tag')
      hold(scratch)
    },
    open: (arena, offset, length, key, nonce) => {
      const text = addressOf(arena, offset, length + TAG_BYTES)
      must(openInit(opening, 0n, 0n, addressOf(arena, key, 32), addressOf(arena, nonce, 12)) === 1, 'a key')
      const tag = addressOf(arena, offset + length, TAG_BYTES)
      must(control(opening, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag) === 1, 'a tag')
      if (length > 0) must(openUpdate(opening, text, written, text, numberOf(length)) === 1, 'a text')
      const genuine = openFinal(opening, rest, written) === 1
      hold(scratch)
      return genuine
    },
    forget: () => {
      must(reset(sealing) === 1 && reset(opening) === 1, 'to forget')
      ready()
    },
  }
}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(`OpenSSL refused ${what}`)
}

let held: unknown

/** Keeps memory referenced until here: a pointer to it is not a reference. */
function hold(memory: unknown): void {
  held = memory
  void held
}
