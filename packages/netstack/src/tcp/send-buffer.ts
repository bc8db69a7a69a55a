// Bytes that were given to send and not yet acknowledged: a ring, read any number of times, dropped from the front.

/** What a connection has yet to see acknowledged. */
export class SendBuffer {
  readonly #ring: Uint8Array
  #start = 0
  #length = 0

  constructor(capacity: number) {
    this.#ring = new Uint8Array(capacity)
  }

  /** How many bytes wait. */
  get length(): number {
    return this.#length
  }

  /** How many more there is room for. */
  get room(): number {
    return this.#ring.length - this.#length
  }

  /** Takes as many of the bytes as fit, by copy, and returns how many. */
  push(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room)
    const at = (this.#start + this.#length) % this.#ring.length
    const first = Math.min(taken, this.#ring.length - at)
    this.#ring.set(bytes.subarray(0, first), at)
    this.#ring.set(bytes.subarray(first, taken), 0)
    this.#length += taken
    return taken
  }

  /** Returns a copy of `length` bytes from `offset` behind the front. */
  read(offset: number, length: number): Uint8Array {
    const at = (this.#start + offset) % this.#ring.length
    const end = at + length
    if (end <= this.#ring.length) return this.#ring.slice(at, end)
    const bytes = new Uint8Array(length)
    bytes.set(this.#ring.subarray(at))
    bytes.set(this.#ring.subarray(0, end - this.#ring.length), this.#ring.length - at)
    return bytes
  }

  /** Drops bytes from the front: they arrived. */
  drop(length: number): void {
    const dropped = Math.min(length, this.#length)
    this.#start = (this.#start + dropped) % this.#ring.length
    this.#length -= dropped
  }
}
