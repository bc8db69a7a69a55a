// A relay on loopback, and clients that are nothing but sockets.
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { publicKeyOf } from '@mesh/keys'
import {
  clientFrameLimit,
  encodeSendPacket,
  FRAME_SERVER_INFO,
  type Frame,
  FrameReader,
} from '@mesh/wire/derp'
import { createRelay, type RelayServer, type RelayServerOptions } from '../../src/node/index.ts'
import { loginFrame, RELAY_PRIVATE_KEY } from '../support.ts'

/** A relay that listens on loopback until disposed. */
export interface ListeningRelay extends AsyncDisposable {
  readonly relay: RelayServer
  readonly port: number
  readonly server: Server
}

/** Mounts a relay in a plain or TLS server on a free port. */
export async function listen(
  options: Partial<RelayServerOptions> = {},
  tls?: ServerOptions,
): Promise<ListeningRelay> {
  const relay = createRelay({ privateKey: RELAY_PRIVATE_KEY, ...options })
  // Looked at often, so that tests of timeouts are short.
  const often = { connectionsCheckingInterval: 50 }
  const server: Server = tls === undefined ? createServer(often) : createTlsServer({ ...often, ...tls })
  server.on('upgrade', (request, socket, head) => relay.handleUpgrade(request, socket, head))
  server.on('request', (request, response) => {
    if (!relay.handleRequest(request, response)) response.writeHead(404).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    relay,
    port,
    server,
    async [Symbol.asyncDispose]() {
      relay.close()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The upgrade request as Tailscale's clients write it, with more header lines if wanted. */
export function upgradeRequest(...lines: string[]): string {
  const head = ['GET /derp HTTP/1.1', 'Host: relay', 'Connection: Upgrade', 'Upgrade: DERP', ...lines]
  return `${head.join('\r\n')}\r\n\r\n`
}

/** A client made of one socket. */
export class RawClient {
  readonly socket: Socket
  readonly key: Uint8Array
  readonly frames: Frame[] = []
  /** The HTTP answer; empty with fast start. */
  head = ''
  readonly #privateKey: Uint8Array
  readonly #reader = new FrameReader(clientFrameLimit)
  #wake: () => void = () => undefined
  ended = false

  constructor(socket: Socket, seed: number, fastStart = false) {
    this.socket = socket
    this.#privateKey = new Uint8Array(32).fill(seed)
    this.key = publicKeyOf(this.#privateKey)
    let inHead = !fastStart
    let seen = Buffer.alloc(0)
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.ended = true
      this.#wake()
    })
    socket.on('data', (chunk: Buffer) => {
      let body: Uint8Array = chunk
      if (inHead) {
        seen = Buffer.concat([seen, chunk])
        const end = seen.indexOf('\r\n\r\n')
        if (end === -1) return
        inHead = false
        this.head = seen.toString('latin1', 0, end)
        body = seen.subarray(end + 4)
      }
      this.#read(body)
    })
  }

  /** Connects without TLS, upgrades and logs in. */
  static async login(port: number, seed: number, serverKey: Uint8Array): Promise<RawClient> {
    const client = new RawClient(connect(port, '127.0.0.1'), seed)
    client.socket.write(upgradeRequest())
    client.socket.write(client.loginFrame(serverKey))
    await client.until((frame) => frame.type === FRAME_SERVER_INFO)
    return client
  }

  loginFrame(serverKey: Uint8Array): Uint8Array {
    return loginFrame(this.#privateKey, serverKey)
  }

  send(to: Uint8Array, packet: Uint8Array): void {
    this.socket.write(encodeSendPacket({ destination: to, packet }))
  }

  /** Waits for a frame. Rejects when the socket ends without one. */
  async until(wanted: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const found = this.frames.find(wanted)
      if (found !== undefined) return found
      if (this.ended)
        throw new Error(`the relay hung up; ${this.frames.length} frames came, head ${this.head}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Waits until the relay has hung up. */
  async untilEnd(): Promise<void> {
    if (!this.ended) await once(this.socket, 'close')
  }

  #read(bytes: Uint8Array): void {
    this.#reader.feed(bytes)
    for (let frame = this.#reader.read(); frame !== undefined; frame = this.#reader.read()) {
      this.frames.push({ type: frame.type, payload: new Uint8Array(frame.payload) })
    }
    this.#wake()
  }
}
