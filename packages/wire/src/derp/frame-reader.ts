// Cutting a byte stream into frames. A frame that lies whole in one chunk is handed out where it lies; only one that
// straddles chunks is gathered, in a buffer that grows with what has come, never with what was claimed.
import { FRAME_HEADER_LENGTH, type Frame, claimedLength } from './frame.ts'
import { type FrameLimit, SKIP_FRAME } from './frame-limit.ts'

const EMPTY = new Uint8Array(0)
const FIRST_BUFFER = 2048

/**
 * Reads frames from chunks of a stream: `feed` a chunk, then `read` until it returns `undefined`.
 *
 * A frame's payload is a view, valid until the next `feed`. When a frame claims more than its limit the reader
 * stops for good: {@link FrameReader.tooLarge} says so and the connection should be closed.
 */
export class FrameReader {
  readonly #limit: FrameLimit
  #chunk: Uint8Array = EMPTY
  #at = 0
  /** The beginning of a frame whose end has not come. */
  #partial: Uint8Array = EMPTY
  #gathered = 0
  #toSkip = 0
  #tooLarge = false

  /** @param limit - How long a frame of each type may be: {@link serverFrameLimit}, {@link clientFrameLimit}, or your own. */
  constructor(limit: FrameLimit) {
    this.#limit = limit
  }

  /** True once a frame claimed to be longer than its type may be; nothing is read after that. */
  get tooLarge(): boolean {
    return this.#tooLarge
  }

  /** Bytes kept of a frame whose end has not come. */
  get gathered(): number {
    return this.#gathered
  }

  /** Takes the next chunk; what was not read of the last one is kept in front of it, at the price of a copy. */
  feed(chunk: Uint8Array): void {
    const unread = this.#chunk.subarray(this.#at)
    this.#at = 0
    if (unread.length === 0) {
      this.#chunk = chunk
      return
    }
    this.#chunk = new Uint8Array(unread.length + chunk.length)
    this.#chunk.set(unread)
    this.#chunk.set(chunk, unread.length)
  }

  /** Returns the next whole frame, or `undefined` until more is fed. */
  read(): Frame | undefined {
    while (!this.#tooLarge) {
      this.#skip()
      const whole = this.#gathered === 0 ? this.#readInPlace() : this.#readGathered()
      if (whole !== undefined) return whole
      if (this.#at === this.#chunk.length) break
    }
    if (this.#tooLarge) this.#partial = EMPTY
    this.#chunk = EMPTY
    this.#at = 0
    return undefined
  }

  #skip(): void {
    const skipped = Math.min(this.#toSkip, this.#chunk.length - this.#at)
    this.#at += skipped
    this.#toSkip -= skipped
  }

  #readInPlace(): Frame | undefined {
    const available = this.#chunk.length - this.#at
    if (available < FRAME_HEADER_LENGTH) return this.#gather(available, FRAME_HEADER_LENGTH)
    const length = this.#admit(this.#chunk, this.#at)
    if (length < 0) return undefined
    const end = FRAME_HEADER_LENGTH + length
    if (available < end) return this.#gather(available, end)
    const start = this.#at
    this.#at += end
    return {
      type: this.#chunk[start]!,
      payload: this.#chunk.subarray(start + FRAME_HEADER_LENGTH, start + end),
    }
  }

  #readGathered(): Frame | undefined {
    if (this.#gathered < FRAME_HEADER_LENGTH) {
      this.#gather(FRAME_HEADER_LENGTH - this.#gathered, FRAME_HEADER_LENGTH)
      if (this.#gathered < FRAME_HEADER_LENGTH) return undefined
      if (this.#admit(this.#partial, 0) < 0) return undefined
    }
    const end = FRAME_HEADER_LENGTH + claimedLength(this.#partial, 0)
    this.#gather(end - this.#gathered, end)
    if (this.#gathered < end) return undefined
    const frame = { type: this.#partial[0]!, payload: this.#partial.subarray(FRAME_HEADER_LENGTH, end) }
    this.#partial = EMPTY
    this.#gathered = 0
    return frame
  }

  /** Judges the header at `at`; returns the length to read, or -1 when the frame is skipped or refused. */
  #admit(bytes: Uint8Array, at: number): number {
    const limit = this.#limit(bytes[at]!)
    const length = claimedLength(bytes, at)
    if (limit === SKIP_FRAME) {
      // The header is passed over too: the one in the chunk now, the one gathered by forgetting it.
      this.#toSkip = length
      if (this.#gathered === 0) this.#at += FRAME_HEADER_LENGTH
      this.#gathered = 0
      return -1
    }
    if (length <= limit) return length
    this.#tooLarge = true
    return -1
  }

  /** Moves up to `wanted` bytes from the chunk behind what is gathered; `end` is the most there will ever be. */
  #gather(wanted: number, end: number): undefined {
    const taken = Math.min(wanted, this.#chunk.length - this.#at)
    const needed = this.#gathered + taken
    if (needed > this.#partial.length) {
      const grown = new Uint8Array(
        Math.max(needed, Math.min(end, Math.max(2 * this.#partial.length, FIRST_BUFFER))),
      )
      grown.set(this.#partial.subarray(0, this.#gathered))
      this.#partial = grown
    }
    this.#partial.set(this.#chunk.subarray(this.#at, this.#at + taken), this.#gathered)
    this.#gathered = needed
    this.#at += taken
    return undefined
  }
}
