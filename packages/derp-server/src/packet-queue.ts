// A short line of frames waiting for a slow receiver. When it is full the oldest leaves: on a network, the
// freshest packet is the one worth having (data-plane §2.7).

/** A frame that waits, and who sent it, if that one is known. */
export interface QueuedFrame<S> {
  readonly source: S | undefined
  readonly frame: Uint8Array
}

/** A bounded first-in-first-out line that drops its head when full. */
export class PacketQueue<S> {
  readonly #slots: (QueuedFrame<S> | undefined)[]
  #head = 0
  #length = 0

  constructor(capacity: number) {
    this.#slots = Array.from({ length: capacity }, () => undefined)
  }

  get length(): number {
    return this.#length
  }

  /** Adds a frame at the end; returns whether the oldest had to leave for it. */
  push(entry: QueuedFrame<S>): boolean {
    const full = this.#length === this.#slots.length
    if (full) this.shift()
    this.#slots[(this.#head + this.#length) % this.#slots.length] = entry
    this.#length += 1
    return full
  }

  /** Takes the oldest frame, or returns `undefined` when there is none. */
  shift(): QueuedFrame<S> | undefined {
    if (this.#length === 0) return undefined
    const entry = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) % this.#slots.length
    this.#length -= 1
    return entry
  }
}
