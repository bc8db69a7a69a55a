// A byte stream inside Noise records, as a Duplex that HTTP/2 can run on. It seals what is written and opens what comes
// in; a record that does not open ends the connection, because there is no way to find the next one.

import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { RecordTransport } from '@mesh/noise'

/** One end of a Noise connection after its handshake. Destroying it destroys the socket, and the other way round. */
export class NoiseStream extends Duplex {
  readonly #socket: Socket
  readonly #transport: RecordTransport

  /** @param head - Bytes that came with the handshake and belong to the first records. */
  constructor(socket: Socket, transport: RecordTransport, head: Uint8Array) {
    super({ allowHalfOpen: true })
    this.#socket = socket
    this.#transport = transport
    socket.on('data', (chunk: Buffer) => this.#open(chunk))
    socket.on('end', () => this.push(null))
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
    // Nothing may be pushed before whoever reads is there.
    if (head.length > 0) setImmediate(() => this.#open(head))
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    const sealed = this.#transport.seal(chunk)
    if (sealed) this.#socket.write(sealed, done)
    else done(new Error('the connection has used up its nonces'))
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }

  #open(chunk: Uint8Array): void {
    if (this.destroyed) return
    this.#transport.feed(chunk)
    let wantsMore = true
    for (let plain = this.#transport.read(); plain; plain = this.#transport.read())
      wantsMore = this.push(plain)
    if (this.#transport.broken) this.destroy()
    else if (!wantsMore) this.#socket.pause()
  }
}
