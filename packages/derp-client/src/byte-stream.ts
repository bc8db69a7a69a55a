// The seat for whatever carries a DERP connection's bytes: a socket, a TLS socket, a WebSocket, or the
// in-memory pair that is shipped beside.

/** What a {@link ByteStream} tells its owner. */
export interface ByteStreamEvents {
  /** Bytes came. They are the stream's again when `bytes` returns. */
  bytes(bytes: Uint8Array): void
  /** The platform has passed on everything written so far; called only after a `write` that returned `false`. */
  drained(): void
  /** The stream ended, by the other side or by an error. The last call; not made after the owner's own `close`. */
  closed(error?: Error): void
}

/** A two-way stream of bytes that is open already. */
export interface ByteStream {
  /** Starts delivery; until then, what comes waits. Called once. */
  start(events: ByteStreamEvents): void
  /**
   * Sends bytes, which are the stream's from now on. It takes them in any case; `false` says that its buffer
   * is full and that the caller should hold back until `drained`.
   */
  write(bytes: Uint8Array): boolean
  /** Ends the stream at once. Idempotent. */
  close(): void
}

/** An in-memory stream for tests: what is written to one end comes out of the other at once. */
class MemoryStream implements ByteStream {
  peer: MemoryStream | undefined
  #events: ByteStreamEvents | undefined
  #waiting: Uint8Array[] = []
  #open = true

  start(events: ByteStreamEvents): void {
    this.#events = events
    const waiting = this.#waiting
    this.#waiting = []
    for (const bytes of waiting) events.bytes(bytes)
    if (!this.#open) events.closed()
  }

  write(bytes: Uint8Array): boolean {
    if (this.#open) this.peer?.take(bytes)
    return true
  }

  close(): void {
    if (!this.#open) return
    this.#open = false
    this.peer?.end()
  }

  take(bytes: Uint8Array): void {
    if (this.#events === undefined) this.#waiting.push(bytes)
    else this.#events.bytes(bytes)
  }

  end(): void {
    if (!this.#open) return
    this.#open = false
    this.#events?.closed()
  }
}

/** Returns the two ends of an in-memory {@link ByteStream}. */
export function memoryStreamPair(): [ByteStream, ByteStream] {
  const a = new MemoryStream()
  const b = new MemoryStream()
  a.peer = b
  b.peer = a
  return [a, b]
}
