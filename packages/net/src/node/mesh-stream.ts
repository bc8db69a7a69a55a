// A TCP connection of the user-space stack as a Duplex, so that everything that takes a socket takes it: HTTP, TLS,
// WebSocket. Back-pressure goes through both ways.
import { Duplex } from 'node:stream'
import type { Connection, ConnectionEvents } from '../userspace-host.ts'

type CloseReason = Parameters<ConnectionEvents['closed']>[0]

const REASONS: Readonly<Record<CloseReason, readonly [code: string, text: string]>> = {
  done: ['', ''],
  refused: ['ECONNREFUSED', 'the connection was refused'],
  reset: ['ECONNRESET', 'the other side broke the connection off'],
  timeout: ['ETIMEDOUT', 'the other side does not answer'],
  aborted: ['ECONNABORTED', 'the connection was broken off here'],
}

/** A byte stream through the mesh. Emits `connect` once it is open, and `error` with a system's code when it breaks. */
export class MeshStream extends Duplex {
  #connection: Connection | undefined
  #unread = 0
  #rest: { readonly bytes: Uint8Array; readonly done: (error?: Error | null) => void } | undefined
  #over = false
  #hasRoom = false

  constructor() {
    super({ allowHalfOpen: true })
  }

  /** Address of the other side. */
  get remoteAddress(): string | undefined {
    return this.#connection?.remoteAddress
  }

  /** Port of the other side. */
  get remotePort(): number | undefined {
    return this.#connection?.remotePort
  }

  /** There is nothing to delay: what is written is sent. For programs that expect a socket. */
  setNoDelay(): this {
    return this
  }

  /** The stack asks by itself whether the other side is there. For programs that expect a socket. */
  setKeepAlive(): this {
    return this
  }

  /** Streams have no idle limit. For programs that expect a socket. */
  setTimeout(): this {
    return this
  }

  /** Does nothing: a stream is no handle of the event loop's. For programs that expect a socket. */
  ref(): this {
    return this
  }

  /** Does nothing: a stream is no handle of the event loop's. For programs that expect a socket. */
  unref(): this {
    return this
  }

  /** Returns who hears of the connection that this stream is of. */
  events(): ConnectionEvents {
    return {
      opened: () => this.emit('connect'),
      data: (bytes) => this.#take(bytes),
      ended: () => this.push(null),
      writable: () => this.#noteRoom(),
      closed: (reason) => this.#end(reason),
    }
  }

  /** Names the connection that this stream is of. */
  attach(connection: Connection): this {
    this.#connection = connection
    this.#sendRest()
    return this
  }

  /** What the reader has no room for is said to be taken later: the other side then waits. */
  #take(bytes: Uint8Array): void {
    if (this.push(bytes)) this.#connection?.consume(bytes.length)
    else this.#unread += bytes.length
  }

  #end(reason: CloseReason): void {
    this.#over = true
    const rest = this.#rest
    this.#rest = undefined
    if (reason === 'done') {
      rest?.done()
      this.push(null)
      return
    }
    const [code, text] = REASONS[reason]
    const error = Object.assign(new Error(text), { code })
    if (rest) rest.done(error)
    else this.destroy(error)
  }

  /** Node's own: see `Duplex` of `node:stream`. */
  override _read(): void {
    const unread = this.#unread
    this.#unread = 0
    if (unread > 0) this.#connection?.consume(unread)
  }

  /** Node's own: see `Duplex` of `node:stream`. */
  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#rest = { bytes: chunk, done }
    this.#sendRest()
  }

  /** Node's own: see `Duplex` of `node:stream`. */
  override _final(done: (error?: Error | null) => void): void {
    this.#connection?.end()
    done()
  }

  /** Node's own: see `Duplex` of `node:stream`. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#over && !(this.readableEnded && this.writableFinished)) this.#connection?.abort()
    done(error)
  }

  /** There is room again; when that is said while sending, sending goes on after it. */
  #noteRoom(): void {
    this.#hasRoom = true
    this.#sendRest()
  }

  #sendRest(): void {
    const rest = this.#rest
    if (!rest || !this.#connection) return
    // Sending may end the connection before it returns: nothing may be sent twice.
    this.#rest = undefined
    let at = 0
    do {
      this.#hasRoom = false
      at += this.#connection.send(rest.bytes.subarray(at))
    } while (this.#hasRoom && at < rest.bytes.length)
    if (at === rest.bytes.length) return rest.done()
    if (this.#over) return rest.done(Object.assign(new Error('the connection is over'), { code: 'EPIPE' }))
    this.#rest = { bytes: rest.bytes.subarray(at), done: rest.done }
  }
}
