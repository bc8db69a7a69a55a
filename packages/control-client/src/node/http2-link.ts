// HTTP/2 inside the sealed connection: sends the requests the machine asks for and hands back what comes, piece by
// piece. It judges nothing; every status goes back as it is.
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { ControlError } from '../errors.ts'
import type { NoiseDuplex } from './noise-duplex.ts'

/** Takes what happens on the link. */
export interface LinkListener {
  /** A request's answer began. */
  onResponse(id: number, status: number): void
  /** A piece of a request's answer came. */
  onData(id: number, chunk: Uint8Array): void
  /** A request's answer ended, or broke off. */
  onEnd(id: number, error: ControlError | undefined): void
  /** The link ended by itself. */
  onClose(error: ControlError): void
}

/** How much one stream may bring before it is read: a first map can be megabytes. */
const WINDOW = 4 << 20

/** One HTTP/2 session over one sealed connection. */
export class Http2Link {
  readonly #session: ClientHttp2Session
  readonly #listener: LinkListener
  readonly #streams = new Map<number, ClientHttp2Stream>()
  #cause: Error | undefined
  #closed = false

  constructor(authority: string, duplex: NoiseDuplex, listener: LinkListener) {
    this.#listener = listener
    this.#session = connect(`https://${authority}`, {
      createConnection: () => duplex,
      settings: { enablePush: false, initialWindowSize: WINDOW },
    })
    this.#session.on('connect', () => this.#session.setLocalWindowSize(WINDOW))
    this.#session.on('error', (error: Error) => {
      this.#cause ??= error
    })
    duplex.on('error', (error: Error) => {
      this.#cause = error
    })
    this.#session.on('goaway', () => this.#session.destroy())
    this.#session.on('close', () => this.#end())
  }

  /** Sends `body` to `path`. */
  request(id: number, path: string, body: Uint8Array, method = 'POST'): void {
    if (this.#session.destroyed) return this.#listener.onEnd(id, this.#lost())
    const stream = this.#session.request({ ':method': method, ':path': path })
    let ended = false
    this.#streams.set(id, stream)
    // Data may be at hand before `response` is emitted: it flows only from then on.
    stream.on('response', (headers) => {
      this.#tell(id, () => this.#listener.onResponse(id, headers[':status'] ?? 0))
      stream.on('data', (chunk: Uint8Array) => this.#tell(id, () => this.#listener.onData(id, chunk)))
    })
    stream.on('end', () => {
      ended = true
    })
    stream.on('error', () => undefined)
    stream.on('close', () => {
      const whole = ended && stream.rstCode === constants.NGHTTP2_NO_ERROR
      this.#tell(id, () => {
        this.#streams.delete(id)
        this.#listener.onEnd(id, whole ? undefined : this.#lost())
      })
    })
    stream.end(body)
  }

  /** Stops a request; nothing more is said of it. */
  cancel(id: number): void {
    const stream = this.#streams.get(id)
    this.#streams.delete(id)
    stream?.close(constants.NGHTTP2_CANCEL)
  }

  /** Drops everything; nothing more is said of anything. Resolves when the session is gone. */
  close(): Promise<void> {
    this.#closed = true
    this.#streams.clear()
    return new Promise((resolve) => {
      if (this.#session.closed && this.#session.destroyed) return resolve()
      this.#session.once('close', resolve)
      this.#session.destroy()
    })
  }

  /** Passes something on, unless the request was cancelled or the link was closed. */
  #tell(id: number, say: () => void): void {
    if (!this.#closed && this.#streams.has(id)) say()
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#listener.onClose(this.#lost())
  }

  #lost(): ControlError {
    if (this.#cause instanceof ControlError) return this.#cause
    const options = this.#cause === undefined ? undefined : { cause: this.#cause }
    return new ControlError('ERR_CONTROL_LOST', 'the connection to the control server was lost', options)
  }
}
