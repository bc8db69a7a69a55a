// A byte stream inside Noise records, as a Duplex that HTTP/2 can run on. It seals what is written and opens what comes
// in; a record that does not open ends the connection, because there is no way to find the next one.

import { Duplex } from 'node:stream'
import type { RecordTransport } from '@mesh/noise'

/** One end of a Noise connection after its handshake. Destroying it destroys the socket, and the other way round. */
export class NoiseStream extends Duplex {
  readonly #socket: Duplex
  readonly #transport: RecordTransport

  /**
   * @param socket - What carries the records: a socket, or a WebSocket's bytes.
   * @param head - Bytes that came with the handshake and belong to the first records.
   */
  constructor(socket: Duplex, transport: RecordTransport, head: Uint8Array) {
    super()
    this.#socket = socket
    this.#transport = transport
    socket.on('data', (chunk: Buffer) => this.#open(chunk))
    // A peer that hangs up is gone. Passing on the end alone would let Node's HTTP/2 shut its side down while it still
    // writes, which ends the process: whoever connects could choose when.
    socket.on('end', () => this.destroy())
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
    // Fed at once, to stay in front of what the socket brings; opened when whoever reads is there.
    transport.feed(head)
    setImmediate(() => this.#open(new Uint8Array(0)))
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    const sealed = this.#transport.seal(chunk)
    if (sealed) this.#socket.write(sealed, done)
    else done(new Error('the connection has used up its nonces'))
  }

  /** HTTP/2 hands over a frame's header and what is in it together: they are one record and one write. */
  override _writev(
    chunks: readonly { readonly chunk: Uint8Array }[],
    done: (error?: Error | null) => void,
  ): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'buffer', done)
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
