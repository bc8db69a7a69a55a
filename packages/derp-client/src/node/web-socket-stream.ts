// The ByteStream seat filled with a WebSocket of subprotocol `derp` over a socket that is open already, plain or TLS.
// Message boundaries mean nothing (data-plane §2.4).
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import type { ByteStream, ByteStreamEvents } from '../byte-stream.ts'
import { DerpError } from '../errors.ts'

/** The longest message taken; a relay's frame is at most 1 MiB, and it may send several in one message. */
const MAX_MESSAGE = 4 << 20

/** How many bytes may wait in the WebSocket before the caller is asked to hold back. */
const HIGH_WATER = 65_536

/** WebSocket close codes (RFC 6455 section 7.4.1). */
const UNSUPPORTED_DATA = 1003

/** Opens a WebSocket on `socket`, which it owns from now on. `headers` hold the Host at least. */
export function webSocketOn(
  socket: Socket,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    // The socket speaks TLS already where there is TLS, so to `ws` it is a plain one.
    const webSocket = new WebSocket('ws://relay/derp', 'derp', {
      createConnection: () => socket,
      headers,
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE,
    })
    const stream = new WebSocketStream(webSocket)
    const giveUp = (): void => webSocket.terminate()
    signal.addEventListener('abort', giveUp, { once: true })
    webSocket.on('open', () => {
      signal.removeEventListener('abort', giveUp)
      resolve(stream)
    })
    webSocket.on('unexpected-response', (_request, { statusCode }) => {
      socket.destroy()
      reject(new DerpError('ERR_DERP_REFUSED', `the relay answered ${statusCode} to a WebSocket`))
    })
    webSocket.on('error', (cause) => {
      if (signal.aborted) reject(signal.reason)
      else reject(new DerpError('ERR_DERP_CLOSED', `the relay hung up: ${cause.message}`, { cause }))
    })
  })
}

class WebSocketStream implements ByteStream {
  readonly #webSocket: WebSocket
  #events: ByteStreamEvents | undefined
  #waiting: Uint8Array[] = []
  #full = false
  #closed = false

  constructor(webSocket: WebSocket) {
    this.#webSocket = webSocket
    webSocket.on('message', (data, isBinary) => {
      if (!isBinary) return webSocket.close(UNSUPPORTED_DATA)
      for (const chunk of Array.isArray(data) ? data : [data]) this.#take(new Uint8Array(chunk))
    })
    let cause: Error | undefined
    webSocket.on('error', (error) => {
      cause = error
    })
    webSocket.on('close', () => {
      if (!this.#closed) this.#events?.closed(cause)
    })
  }

  start(events: ByteStreamEvents): void {
    this.#events = events
    for (const bytes of this.#waiting.splice(0)) events.bytes(bytes)
    if (this.#webSocket.readyState !== WebSocket.OPEN) queueMicrotask(() => this.#closed || events.closed())
  }

  write(bytes: Uint8Array): boolean {
    if (this.#webSocket.readyState !== WebSocket.OPEN) return true
    this.#webSocket.send(bytes, () => this.#written())
    this.#full = this.#webSocket.bufferedAmount >= HIGH_WATER
    return !this.#full
  }

  close(): void {
    this.#closed = true
    this.#webSocket.terminate()
  }

  #written(): void {
    if (!this.#full || this.#webSocket.bufferedAmount >= HIGH_WATER) return
    this.#full = false
    if (!this.#closed) this.#events?.drained()
  }

  #take(bytes: Uint8Array): void {
    if (this.#events === undefined) this.#waiting.push(bytes)
    else this.#events.bytes(bytes)
  }
}
