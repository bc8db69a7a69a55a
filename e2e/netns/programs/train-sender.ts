// Sends UDP as the kernel's segmentation lets one: a train of equal datagrams in one call.
import { AF_INET, MSG_DONTWAIT, O_NONBLOCK, SOCK_DGRAM, SOL_UDP, UDP_SEGMENT } from '@mesh/linux'
import { Arena, linuxCalls } from '@mesh/linux/node'

const [HEADER, IOVEC, NAME, CONTROL, DATA] = [0, 64, 128, 192, 256]
/** Bytes of a train at most. */
export const TRAIN_BYTES = 65_000
const SEGMENTS = 64

/** A socket and one train. */
export class TrainSender {
  /** Where the train is laid. */
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly #calls = linuxCalls()
  readonly #arena = new Arena(new SharedArrayBuffer(1 << 17))
  readonly #view = new DataView(this.#arena.bytes.buffer)
  readonly #fd: number

  /** Sends to one IPv4 endpoint. */
  constructor(address: string, port: number) {
    this.#fd = this.#calls.socket(AF_INET, SOCK_DGRAM | O_NONBLOCK)
    this.#view.setUint16(NAME, AF_INET, true)
    this.#view.setUint16(NAME + 2, port)
    this.#arena.bytes.set(address.split('.').map(Number), NAME + 4)
    this.bytes = this.#arena.bytes.subarray(DATA, DATA + 65_536)
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset)
  }

  /** Sends the first `length` bytes, cut into segments, or as one datagram when `segment` is 0. `false` when the kernel would not. */
  send(length: number, segment: number): boolean {
    this.#arena.setIovec(IOVEC, DATA, length)
    this.#view.setBigUint64(CONTROL, 18n, true)
    this.#view.setInt32(CONTROL + 8, SOL_UDP, true)
    this.#view.setInt32(CONTROL + 12, UDP_SEGMENT, true)
    this.#view.setUint16(CONTROL + 16, segment, true)
    const control = segment === 0 ? undefined : { offset: CONTROL, length: 24 }
    this.#arena.setMessage(HEADER, IOVEC, 1, { offset: NAME, length: 16 }, control)
    return this.#calls.sendmsg(this.#fd, this.#arena, HEADER, MSG_DONTWAIT) >= 0
  }

  /** Takes one datagram that came back, a copy; `undefined` when there is none. */
  receive(): Uint8Array | undefined {
    const length = this.#calls.read(this.#fd, this.#arena, DATA, 65_536)
    return length < 0 ? undefined : this.bytes.slice(0, length)
  }

  /** Returns how many segments of this size a train may have. */
  static segmentsOf(size: number): number {
    return Math.max(1, Math.min(SEGMENTS, Math.floor(TRAIN_BYTES / size)))
  }
}
