// Bytes that were given to send and not yet acknowledged: a ring, read any number of times, dropped from the front.
// The ring grows with what is in it and goes when it is empty: thousands of idle connections cost next to nothing.

const NOTHING = new Uint8Array(0)
/** The smallest ring that is made. */
const LEAST_RING = 2_048

/** What a connection has yet to see acknowledged. */
export class SendBuffer {
  readonly #capacity: number
  #ring: Uint8Array = NOTHING
  #start = 0
  #length = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** How many bytes wait. */
  get length(): number {
    return this.#length
  }

  /** How many more there is room for. */
  get room(): number {
    return this.#capacity - this.#length
  }

  /** How many bytes of memory the ring takes now. */
  get allocated(): number {
    return this.#ring.length
  }

  /** Takes as many of the bytes as fit, by copy, and returns how many. */
  push(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room)
    if (taken === 0) return 0
    if (this.#length + taken > this.#ring.length) this.#grow(this.#length + taken)
    const at = (this.#start + this.#length) % this.#ring.length
    const first = Math.min(taken, this.#ring.length - at)
    this.#ring.set(bytes.subarray(0, first), at)
    this.#ring.set(bytes.subarray(first, taken), 0)
    this.#length += taken
    return taken
  }

  /** Returns a copy of `length` bytes from `offset` behind the front. */
  read(offset: number, length: number): Uint8Array {
    if (length === 0) return new Uint8Array(0)
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
    this.#length -= dropped
    if (this.#length === 0) this.clear()
    else this.#start = (this.#start + dropped) % this.#ring.length
  }

  /** Drops everything, and the memory with it. */
  clear(): void {
    this.#ring = NOTHING
    this.#start = 0
    this.#length = 0
  }

  /** Makes the ring twice as large until `needed` bytes fit, never larger than the capacity. */
  #grow(needed: number): void {
    let size = Math.max(LEAST_RING, this.#ring.length)
    while (size < needed) size *= 2
    const ring = new Uint8Array(Math.min(size, this.#capacity))
    ring.set(this.read(0, this.#length))
    this.#ring = ring
    this.#start = 0
  }
}
