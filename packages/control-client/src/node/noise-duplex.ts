// The sealed connection as a Node stream, for HTTP/2 to run over: records go out sealed and come in opened, an
// early payload is taken off the front, and back-pressure is passed on both ways.
import { Duplex } from 'node:stream'
import type { RecordTransport } from '@mesh/noise'
import { type EarlyPayload, EarlyPayloadReader } from '@mesh/wire/control'
import { ControlError } from '../errors.ts'

const NOTHING = new Uint8Array(0)

/** A stream whose bytes travel sealed over a socket. Destroying either destroys both. */
export class NoiseDuplex extends Duplex {
  readonly #socket: Duplex
  readonly #transport: RecordTransport
  #early: EarlyPayloadReader | undefined = new EarlyPayloadReader()
  #earlyPayload: EarlyPayload | undefined

  /**
   * @param socket - What carries the records: a socket, or a WebSocket's bytes.
   * @param head - Bytes that were read from it already, after the handshake.
   */
  constructor(socket: Duplex, transport: RecordTransport, head: Uint8Array) {
    super()
    this.#socket = socket
    this.#transport = transport
    socket.on('data', (chunk: Uint8Array) => this.#receive(chunk))
    // A server that hangs up is gone. Passing on the end alone would let Node's HTTP/2 shut its side down while it
    // still writes, which ends the process.
    socket.on('end', () => this.destroy())
    socket.on('error', (error) => this.destroy(error))
    socket.on('close', () => this.destroy())
    // Fed at once, to stay in front of what the socket brings; delivered later, when somebody listens.
    transport.feed(head)
    setImmediate(() => this.#receive(NOTHING))
  }

  /** What the server said before HTTP/2, once it has come. */
  get earlyPayload(): EarlyPayload | undefined {
    return this.#earlyPayload
  }

  override _read(): void {
    this.#socket.resume()
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    const sealed = this.#transport.seal(chunk)
    if (sealed === undefined) done(brokenRecord())
    else if (this.#socket.write(sealed)) done()
    else this.#socket.once('drain', done)
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }

  #receive(chunk: Uint8Array): void {
    if (this.destroyed) return
    this.#transport.feed(chunk)
    let wanted = true
    for (let plain = this.#transport.read(); plain !== undefined; plain = this.#transport.read()) {
      wanted = this.#deliver(plain) && wanted
    }
    if (this.#transport.broken) this.destroy(brokenRecord())
    else if (!wanted) this.#socket.pause()
  }

  #deliver(plain: Uint8Array): boolean {
    if (this.#early === undefined) return this.push(plain)
    const result = this.#early.feed(plain)
    if (result.kind === 'more') return true
    if (result.kind === 'bad') {
      this.destroy(
        new ControlError('ERR_CONTROL_PROTOCOL', 'the early payload of the control server cannot be read'),
      )
      return true
    }
    this.#early = undefined
    this.#earlyPayload = result.payload
    return result.rest.length === 0 || this.push(result.rest)
  }
}

function brokenRecord(): ControlError {
  return new ControlError('ERR_CONTROL_PROTOCOL', 'a record of the control server cannot be opened')
}
