// sendmsg and recvmsg over an arena: where their headers lie, and what travels beside the bytes (the length of segments).
import { EAGAIN, EINTR, MSG_DONTWAIT, SOL_UDP, UDP_GRO, UDP_SEGMENT } from '@mesh/linux'
import type { Arena, LinuxCalls } from '@mesh/linux/node'
import { MAX_SOCKET_ADDRESS } from './socket-address.ts'

/** Bytes of an arena that one {@link MessageIo} needs; a multiple of 64. */
export const MESSAGE_IO_BYTES = 320

const HEADER = 0
const IOVEC = 64
const NAME = 128
const CONTROL = 192
const CONTROL_ROOM = 64
/** struct cmsghdr, and a message of one number in it, as sent and as received. */
const CMSG_LENGTH = 0
const CMSG_LEVEL = 8
const CMSG_TYPE = 12
const CMSG_DATA = 16
const SEGMENT_LENGTH = 18
const SEGMENT_SPACE = 24
const POLLFDS = 256
const POLLOUT = 4

/** One direction's headers. */
export class MessageIo {
  /** Bytes of a segment of what was received last; 0 when it was one datagram. */
  segment = 0
  /** Where the sender's address was put. */
  readonly nameAt: number
  /** How many bytes of it there are. */
  nameLength = 0
  readonly #calls: LinuxCalls
  readonly #arena: Arena
  readonly #at: number
  readonly #view: DataView
  readonly #wakeUp: number
  // Made once: they would be two objects for every call.
  readonly #name: { offset: number; length: number }
  readonly #nameRoom: { readonly offset: number; readonly length: number }
  readonly #controlRoom: { readonly offset: number; readonly length: number }
  readonly #segmentRoom: { readonly offset: number; readonly length: number }

  constructor(calls: LinuxCalls, arena: Arena, at: number, wakeUp: number) {
    this.#calls = calls
    this.#arena = arena
    this.#at = at
    this.#view = new DataView(arena.bytes.buffer)
    this.#wakeUp = wakeUp
    this.nameAt = at + NAME
    this.#name = { offset: at + NAME, length: 0 }
    this.#nameRoom = { offset: at + NAME, length: MAX_SOCKET_ADDRESS }
    this.#controlRoom = { offset: at + CONTROL, length: CONTROL_ROOM }
    this.#segmentRoom = { offset: at + CONTROL, length: SEGMENT_SPACE }
  }

  /** Sends `length` bytes, cut into segments unless `segment` is 0, and returns what sendmsg(2) returns. */
  send(fd: number, to: Uint8Array, offset: number, length: number, segment: number): number {
    const at = this.#at
    this.#arena.bytes.set(to, at + NAME)
    this.#arena.setIovec(at + IOVEC, offset, length)
    if (segment > 0) this.#setSegment(segment)
    this.#name.length = to.length
    this.#arena.setMessage(
      at + HEADER,
      at + IOVEC,
      1,
      this.#name,
      segment > 0 ? this.#segmentRoom : undefined,
    )
    const sent = this.#calls.sendmsg(fd, this.#arena, at + HEADER, MSG_DONTWAIT)
    if (sent !== -EAGAIN && sent !== -EINTR) return sent
    this.#waitWritable(fd)
    return this.#calls.sendmsg(fd, this.#arena, at + HEADER, MSG_DONTWAIT)
  }

  /** Receives into a range; returns what recvmsg(2) returns, and says in the fields what came beside. */
  receive(fd: number, offset: number, length: number): number {
    const at = this.#at
    this.#arena.setIovec(at + IOVEC, offset, length)
    this.#arena.setMessage(at + HEADER, at + IOVEC, 1, this.#nameRoom, this.#controlRoom)
    const received = this.#calls.recvmsg(fd, this.#arena, at + HEADER, MSG_DONTWAIT)
    if (received < 0) return received
    this.nameLength = Math.min(this.#arena.messageNameLength(at + HEADER), MAX_SOCKET_ADDRESS)
    this.segment = this.#readSegment()
    return received
  }

  #setSegment(segment: number): void {
    const at = this.#at + CONTROL
    this.#view.setUint32(at + CMSG_LENGTH, SEGMENT_LENGTH, true)
    this.#view.setUint32(at + CMSG_LENGTH + 4, 0, true)
    this.#view.setInt32(at + CMSG_LEVEL, SOL_UDP, true)
    this.#view.setInt32(at + CMSG_TYPE, UDP_SEGMENT, true)
    this.#view.setUint16(at + CMSG_DATA, segment, true)
  }

  #readSegment(): number {
    const at = this.#at + CONTROL
    if (this.#arena.messageControlLength(this.#at + HEADER) < CMSG_DATA + 4) return 0
    if (this.#view.getInt32(at + CMSG_LEVEL, true) !== SOL_UDP) return 0
    if (this.#view.getInt32(at + CMSG_TYPE, true) !== UDP_GRO) return 0
    return Math.max(this.#view.getInt32(at + CMSG_DATA, true), 0)
  }

  /** The network card is behind. Waits a little, and not when somebody wants the thread. */
  #waitWritable(fd: number): void {
    const at = this.#at + POLLFDS
    this.#view.setInt32(at, fd, true)
    this.#view.setInt16(at + 4, POLLOUT, true)
    this.#view.setInt32(at + 8, this.#wakeUp, true)
    this.#view.setInt16(at + 12, 1, true)
    this.#calls.poll(this.#arena, at, 2, 10)
  }
}
