// How messages follow each other on a TCP connection: each behind its length (RFC 1035 section 4.2.2, RFC 7766 section 8).

/** A message's length before it, bytes. */
const LENGTH = 2
const LONGEST = 0xffff

/** Returns a message behind its length. */
export function frameMessage(message: Uint8Array): Uint8Array {
  if (message.length > LONGEST) throw new RangeError(`message too long: ${message.length} bytes`)
  const framed = new Uint8Array(LENGTH + message.length)
  new DataView(framed.buffer).setUint16(0, message.length)
  framed.set(message, LENGTH)
  return framed
}

/** Puts the messages of a connection together, in whatever pieces they come. */
export class MessageReader {
  readonly #longest: number
  #held: Uint8Array = new Uint8Array(0)

  /** @param longest - The longest message that is taken, in bytes. */
  constructor(longest = LONGEST) {
    this.#longest = longest
  }

  /** Takes bytes that arrived; they are copied. */
  push(bytes: Uint8Array): void {
    const held = new Uint8Array(this.#held.length + bytes.length)
    held.set(this.#held)
    held.set(bytes, this.#held.length)
    this.#held = held
  }

  /** Whether the next message says that it is longer than any that is taken; it never comes, nor does what is behind it. */
  get isTooLong(): boolean {
    return this.#nextLength > this.#longest
  }

  /** Returns the next message that is whole, a view; `undefined` until more has come. */
  next(): Uint8Array | undefined {
    const end = LENGTH + this.#nextLength
    if (this.#held.length < end || this.isTooLong) return undefined
    const message = this.#held.subarray(LENGTH, end)
    this.#held = this.#held.subarray(end)
    return message
  }

  /** What the next message says of its length; 0 while it has not come so far. */
  get #nextLength(): number {
    const { buffer, byteOffset, length } = this.#held
    return length < LENGTH ? 0 : new DataView(buffer, byteOffset).getUint16(0)
  }
}
