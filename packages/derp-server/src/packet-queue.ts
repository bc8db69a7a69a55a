// A short line of frames waiting for a slow receiver. When it is full the oldest leaves: on a network, the
// freshest packet is the one worth having (data-plane §2.7).

/** A frame that waits, and who sent it, if that one is known. */
export interface QueuedFrame<S> {
  readonly source: S | undefined
  readonly frame: Uint8Array
}

const NONE: never[] = []

/** A bounded first-in-first-out line that drops its head when full. */
export class PacketQueue<S> {
  readonly #capacity: number
  /** Made when the first frame waits: most clients are idle, and there are thousands. */
  #slots: (QueuedFrame<S> | undefined)[] = NONE
  #head = 0
  #length = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get length(): number {
    return this.#length
  }

  /**
   * Returns memory for a frame that is pushed next: that of the oldest one, when it has to leave and is as long. A queue that
   * overflows all the time then costs no memory but its own.
   */
  memoryFor(length: number): Uint8Array {
    const oldest = this.#length === this.#capacity ? this.#slots[this.#head]?.frame : undefined
    return oldest?.length === length ? oldest : new Uint8Array(length)
  }

  /** Adds a frame at the end; returns whether the oldest had to leave for it. */
  push(entry: QueuedFrame<S>): boolean {
    if (this.#slots === NONE) this.#slots = Array.from({ length: this.#capacity }, () => undefined)
    const full = this.#length === this.#capacity
    if (full) this.shift()
    this.#slots[(this.#head + this.#length) % this.#capacity] = entry
    this.#length += 1
    return full
  }

  /** Takes the oldest frame, or returns `undefined` when there is none. */
  shift(): QueuedFrame<S> | undefined {
    if (this.#length === 0) return undefined
    const entry = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = (this.#head + 1) % this.#capacity
    this.#length -= 1
    return entry
  }
}
