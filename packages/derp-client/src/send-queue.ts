// Frames that wait for the connection to come up or to drain. When it is full the oldest leaves, because the
// freshest packet is the one worth having (data-plane §2.14).
import { SEND_QUEUE_LENGTH } from './constants.ts'

/** A bounded line of frames that drops its head when full. */
export class SendQueue {
  readonly #frames: Uint8Array[] = []

  get length(): number {
    return this.#frames.length
  }

  /** Adds a frame; returns whether the oldest had to leave for it. */
  push(frame: Uint8Array): boolean {
    const full = this.#frames.length === SEND_QUEUE_LENGTH
    if (full) this.#frames.shift()
    this.#frames.push(frame)
    return full
  }

  /** Takes the oldest frame, or returns `undefined` when there is none. */
  shift(): Uint8Array | undefined {
    return this.#frames.shift()
  }
}
