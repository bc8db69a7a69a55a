// A client of the control protocol made of Node's own parts and the Noise handshake: enough to ask anything, also what no
// decent client would.

import { randomBytes } from 'node:crypto'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { connect as connectHttp2 } from 'node:http2'
import { request as httpRequest } from 'node:http'
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { zstdDecompressSync } from 'node:zlib'
import { formatMachineKey, generatePrivateKey, parseMachineKey, publicKeyOf } from '@mesh/keys'
import { controlInitiate, RecordTransport } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { systemRandom } from '@mesh/sansio/node'
import type { MapResponse } from '@mesh/wire/control'
import {
  CAPABILITY_VERSION,
  decodeMapMessage,
  decodeNoiseFrame,
  EarlyPayloadReader,
  encodeInitiation,
  MapFrameReader,
  RESPONSE_LENGTH,
} from '@mesh/wire/control'

export const zstd = {
  compress: (): Uint8Array => new Uint8Array(),
  decompress: (bytes: Uint8Array, maxOutputLength: number): Uint8Array =>
    zstdDecompressSync(bytes, { maxOutputLength }),
}

/** Upgrades, and returns the socket and whatever came with the answer. */
export function upgrade(
  url: string,
  headers: Record<string, string>,
): Promise<{ status: number; socket: Socket; head: Buffer; text: string }> {
  return new Promise((resolve, reject) => {
    const call = httpRequest(`${url}/ts2021`, {
      method: 'POST',
      headers: { Connection: 'upgrade', ...headers },
    })
    call.on('error', reject)
    call.on('upgrade', (response, socket, head) =>
      resolve({ status: response.statusCode ?? 0, socket, head, text: '' }),
    )
    call.on('response', (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, socket: response.socket, head: Buffer.alloc(0), text }),
      )
    })
    call.end()
  })
}

export async function serverKey(url: string): Promise<Uint8Array> {
  const response = await fetch(`${url}/key?v=${CAPABILITY_VERSION}`)
  const { publicKey } = (await response.json()) as { publicKey: string }
  return parseMachineKey(publicKey) ?? new Uint8Array(32)
}

/** A machine with keys of its own. */
export class RawMachine {
  readonly machinePrivate = generatePrivateKey(systemRandom)
  readonly machineKey = formatMachineKey(publicKeyOf(this.machinePrivate))
  nodeKey = `nodekey:${randomBytes(32).toString('hex')}`
  discoKey = `discokey:${randomBytes(32).toString('hex')}`
  earlyPayload: unknown
  socket: Socket | undefined

  /** Shakes hands; returns HTTP/2 inside Noise. */
  async connect(url: string, headers: Record<string, string> = {}): Promise<ClientHttp2Session> {
    const { socket, transport, rest } = await this.handshake(url, undefined, headers)
    this.socket = socket
    const duplex = new Plain(socket, transport, rest)
    return connectHttp2('http://unused', { createConnection: () => duplex })
  }

  async handshake(
    url: string,
    controlPublic?: Uint8Array,
    headers: Record<string, string> = {},
  ): Promise<{ socket: Socket; transport: RecordTransport; rest: Uint8Array }> {
    const initiation = controlInitiate({
      crypto: nodeCrypto,
      random: systemRandom,
      version: CAPABILITY_VERSION,
      machinePrivate: this.machinePrivate,
      controlPublic: controlPublic ?? (await serverKey(url)),
    })
    if (!initiation) throw new Error('no initiation')
    const { socket, head } = await upgrade(url, {
      ...headers,
      Upgrade: 'tailscale-control-protocol',
      'X-Tailscale-Handshake': Buffer.from(encodeInitiation(CAPABILITY_VERSION, initiation.message)).toString(
        'base64',
      ),
    })
    const held = await readUntil(socket, head, (bytes) => decodeNoiseFrame(bytes) !== 'short')
    const frame = decodeNoiseFrame(held)
    if (!frame || frame === 'short') throw new Error('bad frame')
    if (frame.type === 3) throw new Error(`refused: ${new TextDecoder().decode(frame.body)}`)
    const session = initiation.readResponse(frame.body)
    if (!session) throw new Error('bad response')
    const transport = new RecordTransport(session.send, session.receive)
    transport.feed(held.subarray(RESPONSE_LENGTH))
    const early = new EarlyPayloadReader()
    for (;;) {
      const plain = transport.read()
      if (!plain) {
        transport.feed(await nextChunk(socket))
        continue
      }
      const result = early.feed(plain)
      if (result.kind === 'bad') throw new Error('bad early payload')
      if (result.kind === 'more') continue
      this.earlyPayload = result.payload
      return { socket, transport, rest: result.rest }
    }
  }

  register(session: ClientHttp2Session, change: object = {}): Promise<Reply> {
    return post(session, '/machine/register', {
      Version: CAPABILITY_VERSION,
      NodeKey: this.nodeKey,
      Hostinfo: { Hostname: 'box', OS: 'linux' },
      ...change,
    })
  }

  map(session: ClientHttp2Session, change: object = {}): Promise<Reply> {
    return post(session, '/machine/map', this.#mapRequest(change))
  }

  /** Opens the map stream. */
  stream(session: ClientHttp2Session, change: object = {}): MapStream {
    const stream = session.request({ ':method': 'POST', ':path': '/machine/map' })
    stream.end(JSON.stringify(this.#mapRequest({ Stream: true, ...change })))
    return new MapStream(stream)
  }

  #mapRequest(change: object): object {
    return {
      Version: CAPABILITY_VERSION,
      Compress: 'zstd',
      KeepAlive: true,
      NodeKey: this.nodeKey,
      DiscoKey: this.discoKey,
      ...change,
    }
  }
}

export interface Reply {
  readonly status: number
  readonly body: Buffer
}

export function post(
  session: ClientHttp2Session,
  path: string,
  body: object | string,
  method = 'POST',
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': method, ':path': path }, { endStream: false })
    let status = 0
    const chunks: Buffer[] = []
    stream.on('response', (headers) => (status = Number(headers[':status'])))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => resolve({ status, body: Buffer.concat(chunks) }))
    stream.on('error', reject)
    stream.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
}

/** The messages of a map stream as they come. */
export class MapStream {
  readonly stream: ClientHttp2Stream
  readonly messages: MapResponse[] = []
  readonly #reader = new MapFrameReader()
  ended = false

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream
    stream.on('data', (chunk: Buffer) => {
      this.#reader.feed(chunk)
      for (let message = this.#reader.read(); message; message = this.#reader.read()) {
        const response = decodeMapMessage(message, zstd)
        if (response) this.messages.push(response)
      }
    })
    stream.on('close', () => (this.ended = true))
    stream.on('error', () => undefined)
  }
}

/** What a Noise connection carries, as a stream that HTTP/2 can run on. */
export class Plain extends Duplex {
  readonly #socket: Duplex
  readonly #transport: RecordTransport

  constructor(socket: Duplex, transport: RecordTransport, rest: Uint8Array) {
    super()
    this.#socket = socket
    this.#transport = transport
    if (rest.length > 0) setImmediate(() => this.push(rest))
    socket.on('data', (chunk: Buffer) => {
      transport.feed(chunk)
      for (let plain = transport.read(); plain; plain = transport.read()) this.push(plain)
    })
    setImmediate(() => {
      for (let plain = transport.read(); plain; plain = transport.read()) this.push(plain)
    })
    socket.on('close', () => this.destroy())
    socket.on('error', () => this.destroy())
    socket.resume()
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(this.#transport.seal(chunk) ?? new Uint8Array(), done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}

export async function readUntil(
  socket: Duplex,
  head: Uint8Array,
  enough: (bytes: Uint8Array) => boolean,
): Promise<Uint8Array> {
  let held: Uint8Array = head
  while (!enough(held)) held = Buffer.concat([held, await nextChunk(socket)])
  return held
}

function nextChunk(socket: Duplex): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const done = (chunk: Buffer): void => {
      socket.pause()
      socket.off('close', gone)
      resolve(chunk)
    }
    const gone = (): void => reject(new Error('the server hung up'))
    socket.once('data', done)
    socket.once('close', gone)
    socket.resume()
  })
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
