// Cuts what a client sends into frames (RFC 9113 §3.4, §4.1).

import { FRAME_HEADER, MAX_FRAME, MAX_WINDOW, PREFACE, u32 } from './frames.ts'

/** A frame of a client. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  /** A view that is good until the next feed. */
  readonly body: Uint8Array
}

const NOTHING = new Uint8Array(0)

/** Reads frames from bytes that are cut anywhere. */
export class FrameReader {
  #held: Uint8Array = NOTHING
  #needsPreface = true

  /** Takes bytes. What is not read yet is kept. */
  feed(chunk: Uint8Array): void {
    if (this.#held.length === 0) {
      this.#held = chunk
      return
    }
    const joined = new Uint8Array(this.#held.length + chunk.length)
    joined.set(this.#held)
    joined.set(chunk, this.#held.length)
    this.#held = joined
  }

  /** Returns the next whole frame, `more` when there is none yet, or why there never will be. */
  read(): Frame | 'more' | 'no-preface' | 'too-large' {
    if (this.#needsPreface) {
      const count = Math.min(this.#held.length, PREFACE.length)
      for (let i = 0; i < count; i += 1) if (this.#held[i] !== PREFACE[i]) return 'no-preface'
      if (count < PREFACE.length) return 'more'
      this.#held = this.#held.subarray(PREFACE.length)
      this.#needsPreface = false
    }
    if (this.#held.length < FRAME_HEADER) return 'more'
    const length = u32(this.#held, 0) >>> 8
    if (length > MAX_FRAME) return 'too-large'
    const end = FRAME_HEADER + length
    if (this.#held.length < end) return 'more'
    const [type = 0, flags = 0] = this.#held.subarray(3, 5)
    const frame = {
      type,
      flags,
      stream: u32(this.#held, 5) & MAX_WINDOW,
      body: this.#held.subarray(FRAME_HEADER, end),
    }
    this.#held = end === this.#held.length ? NOTHING : this.#held.subarray(end)
    return frame
  }

  /** Forgets what was not read. */
  clear(): void {
    this.#held = NOTHING
  }
}
