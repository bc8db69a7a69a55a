// One machine's connection: HTTP/2 inside Noise records on a socket. It opens what comes in and seals what goes out; a
// record that does not open ends it, because there is no way to find the next one. Frames are made when the socket has
// room for them, so what a slow client does not read waits as it was handed in.

import type { Duplex } from 'node:stream'
import { MAX_RECORD_PLAINTEXT, RECORD_HEADER_LENGTH, RECORD_OVERHEAD } from '@mesh/noise'
import type { RecordTransport } from '@mesh/noise'
import { Http2Server } from '../http2/http2-server.ts'
import type { Http2Output } from '../http2/http2-server.ts'

/** How many records are written together. */
const RECORDS_TOGETHER = 16
const MAX_WRITE = RECORDS_TOGETHER * (MAX_RECORD_PLAINTEXT + RECORD_OVERHEAD)
/** How long a client may take to hang up after the last word, milliseconds. */
const HANG_UP_TIMEOUT = 1000

/** What a connection is made of. */
export interface MachineLinkOptions {
  /** What carries the records: a socket, or a WebSocket's bytes. */
  readonly socket: Duplex
  readonly transport: RecordTransport
  /** Bytes that came with the handshake and belong to the first records. */
  readonly head: Uint8Array
}

/** One end of a Noise connection after its handshake. It lives as long as the socket. */
export class MachineLink {
  /** What it serves; call {@link MachineLink.flush} after writing to it. */
  readonly http2 = new Http2Server()
  readonly #socket: Duplex
  readonly #transport: RecordTransport
  #onOutput: (output: Http2Output) => void = () => undefined
  #onClose: () => void = () => undefined
  #isEnding = false

  constructor({ socket, transport, head }: MachineLinkOptions) {
    this.#socket = socket
    this.#transport = transport
    transport.feed(head)
  }

  /**
   * Begins to serve.
   *
   * @param onOutput - Takes what HTTP/2 has to say.
   * @param onClose - Hears that it is over, after all its streams are.
   */
  open(onOutput: (output: Http2Output) => void, onClose: () => void): void {
    this.#onOutput = onOutput
    this.#onClose = onClose
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#take(chunk))
    socket.on('drain', () => this.flush())
    // A peer that hangs up is gone.
    socket.on('end', () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#close())
    if (socket.destroyed) return this.#close()
    this.#take(new Uint8Array(0))
  }

  /** Ends it at once. */
  destroy(): void {
    this.#socket.destroy()
  }

  /** Ends it with a goodbye. */
  end(): void {
    this.http2.goAway()
    this.flush()
  }

  /** Sends what there is, as far as the socket and the client have room. */
  flush(): void {
    this.#send()
    this.#tell()
  }

  #take(chunk: Uint8Array): void {
    // After the last word nothing is read any more, only taken from the socket.
    if (this.#socket.destroyed || this.http2.isBroken) return
    this.#transport.feed(chunk)
    for (let plain = this.#transport.read(); plain; plain = this.#transport.read()) {
      this.http2.handleBytes(plain)
      this.#tell()
    }
    if (this.#transport.broken) this.#socket.destroy()
    else this.flush()
  }

  #tell(): void {
    for (let output = this.http2.poll(); output; output = this.http2.poll()) this.#onOutput(output)
  }

  #send(): void {
    const { http2 } = this
    const socket = this.#socket
    while (http2.hasWork && !socket.writableNeedDrain && !socket.destroyed) {
      const records = this.#sealAll()
      if (!records) return void socket.destroy()
      if (records.length === 0) break
      socket.write(records)
    }
    if (http2.isBroken) this.#hangUp()
  }

  /** Returns as many records as are written together. */
  #sealAll(): Uint8Array | undefined {
    const { backlog } = this.http2
    const overhead = Math.ceil(backlog / MAX_RECORD_PLAINTEXT) * RECORD_OVERHEAD
    const bytes = Buffer.allocUnsafe(Math.min(MAX_WRITE, backlog + overhead))
    let at = 0
    while (this.http2.hasWork && at + RECORD_OVERHEAD < bytes.length) {
      const begin = at + RECORD_HEADER_LENGTH
      const room = Math.min(MAX_RECORD_PLAINTEXT, bytes.length - at - RECORD_OVERHEAD)
      const end = this.http2.sendInto(bytes, begin, begin + room)
      if (end === begin) break
      const sealed = this.#transport.sealInPlace(bytes, at, end - begin)
      if (sealed === undefined) return undefined
      at = sealed
    }
    return bytes.subarray(0, at)
  }

  /** After the last word, or when there is no room for it; a client that does not hang up too is cut off soon. */
  #hangUp(): void {
    const socket = this.#socket
    if (!this.http2.hasWork && !socket.writableEnded && !socket.destroyed) socket.end()
    if (this.#isEnding || socket.destroyed) return
    this.#isEnding = true
    const timer = setTimeout(() => socket.destroy(), HANG_UP_TIMEOUT)
    socket.on('close', () => clearTimeout(timer))
  }

  #close(): void {
    this.http2.handleGone()
    this.#tell()
    this.#onClose()
  }
}
