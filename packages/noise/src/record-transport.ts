// The sealed byte stream of the control connection, once its handshake is done: what goes in is cut into records
// and sealed, what comes in is gathered into records and opened. Both ends share it: the client's connection and
// the server's. It owns no socket; the shell on either side wraps it in a Duplex.
//
// A record (control protocol §2.3) is 0x04, a big-endian u16 length, and that many sealed bytes, 4096 in all at
// most. Anything else ends the connection for good: there is no way to find the next record again.

/** Seals one record after another; the cipher state of a finished handshake fits. */
export interface RecordSealer {
  /**
   * Returns the plaintext sealed under the next nonce, 16 bytes longer; `undefined` once nothing may be sealed.
   *
   * @param into - Where to write, exactly that long; it may begin where `plaintext` does.
   */
  seal(plaintext: Uint8Array, into?: Uint8Array): Uint8Array | undefined
}

/** Opens one record after another; the cipher state of a finished handshake fits. */
export interface RecordOpener {
  /** Returns what was sealed under the next nonce, or `undefined` when it was not. */
  open(ciphertext: Uint8Array): Uint8Array | undefined
}

const NOTHING = new Uint8Array(0)
const RECORD_TYPE = 4
const TAG_LENGTH = 16
/** Bytes in front of what a record seals. */
export const RECORD_HEADER_LENGTH = 3
/** Bytes a record is longer than what it carries. */
export const RECORD_OVERHEAD = RECORD_HEADER_LENGTH + TAG_LENGTH
/** The most bytes one record carries. */
export const MAX_RECORD_PLAINTEXT = 4096 - RECORD_OVERHEAD
const MAX_CIPHERTEXT = MAX_RECORD_PLAINTEXT + TAG_LENGTH

/** Turns a stream of bytes into sealed records and back; one for each end of a connection. */
export class RecordTransport {
  readonly #sealer: RecordSealer
  readonly #opener: RecordOpener
  #held: Uint8Array = NOTHING
  #broken = false

  constructor(sealer: RecordSealer, opener: RecordOpener) {
    this.#sealer = sealer
    this.#opener = opener
  }

  /** Whether a record was bad; nothing more can be read and the connection must be closed. */
  get broken(): boolean {
    return this.#broken
  }

  /**
   * Returns the records that carry `plaintext`, ready to send in one write, or `undefined` once the connection is
   * broken. Nothing in, nothing out.
   */
  seal(plaintext: Uint8Array): Uint8Array | undefined {
    const records = Math.ceil(plaintext.length / MAX_RECORD_PLAINTEXT)
    const out = new Uint8Array(plaintext.length + records * RECORD_OVERHEAD)
    let offset = 0
    for (let start = 0; start < plaintext.length; start += MAX_RECORD_PLAINTEXT) {
      const part = plaintext.subarray(start, start + MAX_RECORD_PLAINTEXT)
      out.set(part, offset + RECORD_HEADER_LENGTH)
      const end = this.sealInPlace(out, offset, part.length)
      if (end === undefined) return undefined
      offset = end
    }
    return out
  }

  /**
   * Makes one record around plaintext that stands where it belongs, {@link RECORD_HEADER_LENGTH} bytes behind `start`, with
   * room for the tag behind it. Returns where the record ends, or `undefined` once the connection is broken.
   *
   * @param length - How much plaintext there is, at most {@link MAX_RECORD_PLAINTEXT}.
   */
  sealInPlace(bytes: Uint8Array, start: number, length: number): number | undefined {
    if (length > MAX_RECORD_PLAINTEXT) throw new RangeError(`length: ${length} bytes do not fit a record`)
    const begin = start + RECORD_HEADER_LENGTH
    const end = begin + length + TAG_LENGTH
    if (!this.#sealer.seal(bytes.subarray(begin, begin + length), bytes.subarray(begin, end)))
      return this.#fail()
    bytes[start] = RECORD_TYPE
    bytes[start + 1] = (end - begin) >> 8
    bytes[start + 2] = end - begin
    return end
  }

  /** Takes the next bytes from the wire, cut anywhere. They are kept until read: do not change them. */
  feed(chunk: Uint8Array): void {
    if (this.#broken || chunk.length === 0) return
    if (this.#held.length === 0) {
      this.#held = chunk
      return
    }
    const joined = new Uint8Array(this.#held.length + chunk.length)
    joined.set(this.#held)
    joined.set(chunk, this.#held.length)
    this.#held = joined
  }

  /** Returns the plaintext of the next whole record, never empty, or `undefined` when there is none or it is bad. */
  read(): Uint8Array | undefined {
    while (!this.#broken && this.#held.length >= RECORD_HEADER_LENGTH) {
      const size = ((this.#held[1] ?? 0) << 8) | (this.#held[2] ?? 0)
      if (this.#held[0] !== RECORD_TYPE || size > MAX_CIPHERTEXT || size < TAG_LENGTH) return this.#fail()
      const end = RECORD_HEADER_LENGTH + size
      if (this.#held.length < end) return undefined
      const plaintext = this.#opener.open(this.#held.subarray(RECORD_HEADER_LENGTH, end))
      if (plaintext === undefined) return this.#fail()
      // An empty view would keep all that came with it.
      this.#held = end === this.#held.length ? NOTHING : this.#held.subarray(end)
      if (plaintext.length > 0) return plaintext
    }
    return undefined
  }

  #fail(): undefined {
    this.#broken = true
    this.#held = NOTHING
  }
}
