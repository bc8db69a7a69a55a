// Memory for frames that leave at once. A buffer of its own for each of a hundred thousand packets a second costs more,
// in making, zeroing and collecting, than all the forwarding; so they are cut from a common piece, which goes when the
// last of them has left.
import { FRAME_HEADER_LENGTH, FRAME_RECV_PACKET, writeFrameHeader } from '@mesh/wire/derp'

/** The size of a piece. What one stuck frame can hold on to is no more than this. */
export const SLAB_LENGTH = 16_384

const KEY_LENGTH = 32

/** Bytes before the packet in a RecvPacket frame: header and source key. */
export const RECV_OVERHEAD = FRAME_HEADER_LENGTH + KEY_LENGTH
const NOTHING = new Uint8Array(0)

/** Cuts frames from pieces of memory. */
export class Slab {
  #piece: Uint8Array = NOTHING
  #used = 0

  /** Returns a RecvPacket frame, with a copy of `packet`. */
  recvPacket(source: Uint8Array, packet: Uint8Array): Uint8Array {
    const frame = this.#take(RECV_OVERHEAD + packet.length)
    writeRecvPacket(frame, source, packet)
    return frame
  }

  #take(length: number): Uint8Array {
    // A long frame would leave most of a piece unused.
    if (length > SLAB_LENGTH / 4) return new Uint8Array(length)
    if (this.#used + length > this.#piece.length) {
      this.#piece = new Uint8Array(SLAB_LENGTH)
      this.#used = 0
    }
    const start = this.#used
    this.#used += length
    return this.#piece.subarray(start, this.#used)
  }
}

/** Writes a RecvPacket frame into memory of its very length. */
export function writeRecvPacket(frame: Uint8Array, source: Uint8Array, packet: Uint8Array): void {
  writeFrameHeader(frame, 0, FRAME_RECV_PACKET, KEY_LENGTH + packet.length)
  frame.set(source, FRAME_HEADER_LENGTH)
  frame.set(packet, RECV_OVERHEAD)
}
