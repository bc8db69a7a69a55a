// HTTP/2 (RFC 9113) as far as a load of thousands of clients needs it: requests with a small body, answers that may never
// end. Header compression is switched off both ways, flow control is opened wide, and nothing is kept that is not needed.

const DATA = 0
const HEADERS = 1
const RST_STREAM = 3
const SETTINGS = 4
const PING = 6
const GOAWAY = 7
const WINDOW_UPDATE = 8
const END_STREAM = 1
const ACK = 1
const END_HEADERS = 4
const PADDED = 8
const HEADER_LENGTH = 9
/** The largest window, and how much of it is used before it is opened again. */
const WINDOW = 0x7fffffff
const REFILL = 64 << 20
const NOTHING = Buffer.alloc(0)

/** Who waits for an answer. */
export interface Taker {
  /** Takes the status: 200, or 0 for any other. */
  onStatus(status: number): void
  onData(chunk: Uint8Array): void
  /** The answer is over, or never came. */
  onEnd(): void
}

/** One connection, over whatever carries its bytes. */
export class TinyHttp2 {
  readonly #write: (bytes: Uint8Array) => void
  readonly #takers = new Map<number, Taker>()
  #held: Buffer = NOTHING
  #nextStream = 1
  #received = 0

  /** @param write - Sends bytes. */
  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write
    const settings = Buffer.concat([setting(1, 0), setting(2, 0), setting(4, WINDOW)])
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')
    write(
      Buffer.concat([
        preface,
        frame(SETTINGS, 0, 0, settings),
        frame(WINDOW_UPDATE, 0, 0, u32(WINDOW - 65_535)),
      ]),
    )
  }

  /** Sends a POST. Returns the number of its stream. */
  post(path: string, body: string, taker: Taker): number {
    const stream = this.#nextStream
    this.#nextStream += 2
    this.#takers.set(stream, taker)
    // :method POST, :scheme https, :authority and :path as literals that nobody remembers (RFC 7541 appendix A).
    const headers = Buffer.concat([Buffer.of(0x83, 0x87, 0x01), text('control'), Buffer.of(0x04), text(path)])
    const data = Buffer.from(body)
    this.#write(
      Buffer.concat([frame(HEADERS, END_HEADERS, stream, headers), frame(DATA, END_STREAM, stream, data)]),
    )
    return stream
  }

  /** Takes bytes that came. Returns false when the server ended the connection. */
  feed(chunk: Uint8Array): boolean {
    this.#held = this.#held.length === 0 ? asBuffer(chunk) : Buffer.concat([this.#held, chunk])
    let at = 0
    while (this.#held.length - at >= HEADER_LENGTH) {
      const length = this.#held.readUIntBE(at, 3)
      if (this.#held.length - at < HEADER_LENGTH + length) break
      const body = this.#held.subarray(at + HEADER_LENGTH, at + HEADER_LENGTH + length)
      const [type = 0, flags = 0] = this.#held.subarray(at + 3, at + 5)
      const stream = this.#held.readUInt32BE(at + 5)
      at += HEADER_LENGTH + length
      if (!this.#take(type, flags, stream, body)) return false
    }
    // An empty view would keep all that came with it.
    this.#held = at === this.#held.length ? NOTHING : this.#held.subarray(at)
    return true
  }

  /** Tells everybody who waits that the connection is gone. */
  end(): void {
    for (const taker of this.#takers.values()) taker.onEnd()
    this.#takers.clear()
  }

  #take(type: number, flags: number, stream: number, body: Buffer): boolean {
    const taker = this.#takers.get(stream)
    switch (type) {
      case DATA:
        this.#count(stream, body.length)
        if (body.length > 0) taker?.onData((flags & PADDED) === 0 ? body : body.subarray(1, -(body[0] ?? 0)))
        break
      case HEADERS:
        taker?.onStatus(statusOf(body))
        break
      case RST_STREAM:
        this.#finish(stream)
        break
      case SETTINGS:
        if ((flags & ACK) === 0) this.#write(frame(SETTINGS, ACK, 0, NOTHING))
        return true
      case PING:
        if ((flags & ACK) === 0) this.#write(frame(PING, ACK, 0, body))
        return true
      case GOAWAY:
        return false
      default:
        return true
    }
    if ((type === DATA || type === HEADERS) && (flags & END_STREAM) !== 0) this.#finish(stream)
    return true
  }

  #finish(stream: number): void {
    const taker = this.#takers.get(stream)
    this.#takers.delete(stream)
    taker?.onEnd()
  }

  #count(stream: number, bytes: number): void {
    this.#received += bytes
    if (this.#received < REFILL) return
    for (const id of [0, stream]) this.#write(frame(WINDOW_UPDATE, 0, id, u32(this.#received)))
    this.#received = 0
  }
}

/** The status as an index into the static table; a change of the table's size may stand in front of it. */
function statusOf(block: Uint8Array): number {
  const first = block.find((byte) => (byte & 0xe0) !== 0x20)
  return first === 0x88 ? 200 : 0
}

function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length)
}

function frame(type: number, flags: number, stream: number, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEADER_LENGTH + body.length)
  bytes.writeUIntBE(body.length, 0, 3)
  bytes[3] = type
  bytes[4] = flags
  bytes.writeUInt32BE(stream, 5)
  bytes.set(body, HEADER_LENGTH)
  return bytes
}

function setting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.of(0, id), u32(value)])
}

function text(value: string): Buffer {
  return Buffer.concat([Buffer.of(value.length), Buffer.from(value, 'latin1')])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
