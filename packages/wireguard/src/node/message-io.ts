// sendmsg and recvmsg over an arena: where their headers lie, and what travels beside the bytes: the length of segments,
// and the address of ours at this end.
import { EAGAIN, EINTR, MSG_DONTWAIT, SOL_UDP, UDP_GRO, UDP_SEGMENT } from '@mesh/linux'
import type { Arena, LinuxCalls } from '@mesh/linux/node'
import { localAtIn, localLengthIn } from './packet-info.ts'
import { MAX_SOCKET_ADDRESS } from './socket-address.ts'

/** Bytes of an arena that one {@link MessageIo} needs; a multiple of 64. */
export const MESSAGE_IO_BYTES = 320

const HEADER = 0
const IOVEC = 64
const NAME = 128
const CONTROL = 192
/** Room for the length of segments and an IPv6 address of ours. */
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
  /** Where the address of ours lies that it came to, and how many bytes that has: 0 when the socket does not tell. */
  localAt = 0
  localLength = 0
  readonly #calls: LinuxCalls
  readonly #arena: Arena
  readonly #at: number
  readonly #view: DataView
  readonly #wakeUp: number
  // Made once: they would be two objects for every call.
  readonly #name: { offset: number; length: number }
  readonly #control: { offset: number; length: number }
  readonly #nameRoom: { readonly offset: number; readonly length: number }
  readonly #controlRoom: { readonly offset: number; readonly length: number }

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
    this.#control = { offset: at + CONTROL, length: 0 }
  }

  /**
   * Sends `length` bytes, cut into segments unless `segment` is 0, and returns what sendmsg(2) returns.
   *
   * @param from - What `encodePacketInfo` made of the address of ours to send from; the routes choose when left out.
   */
  send(
    fd: number,
    to: Uint8Array,
    offset: number,
    length: number,
    segment: number,
    from: Uint8Array | undefined,
  ): number {
    const at = this.#at
    this.#arena.bytes.set(to, at + NAME)
    this.#arena.setIovec(at + IOVEC, offset, length)
    if (segment > 0) this.#setSegment(segment)
    this.#name.length = to.length
    const control = this.#control
    control.length = segment > 0 ? SEGMENT_SPACE : 0
    if (from !== undefined) {
      this.#arena.bytes.set(from, at + CONTROL + control.length)
      control.length += from.length
    }
    this.#arena.setMessage(at + HEADER, at + IOVEC, 1, this.#name, control.length > 0 ? control : undefined)
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
    this.#readControl()
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

  #readControl(): void {
    this.segment = 0
    this.localLength = 0
    const end =
      this.#at + CONTROL + Math.min(this.#arena.messageControlLength(this.#at + HEADER), CONTROL_ROOM)
    for (let at = this.#at + CONTROL; at + CMSG_DATA < end; ) {
      const length = this.#view.getUint32(at + CMSG_LENGTH, true)
      if (length <= CMSG_DATA || at + length > end) return
      this.#readControlMessage(at, length)
      at += (length + 7) & ~7
    }
  }

  #readControlMessage(at: number, length: number): void {
    const level = this.#view.getInt32(at + CMSG_LEVEL, true)
    const type = this.#view.getInt32(at + CMSG_TYPE, true)
    if (level === SOL_UDP && type === UDP_GRO && length >= CMSG_DATA + 4) {
      this.segment = Math.max(this.#view.getInt32(at + CMSG_DATA, true), 0)
    }
    const local = localLengthIn(level, type, length)
    if (local === 0) return
    this.localAt = at + localAtIn(local)
    this.localLength = local
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
