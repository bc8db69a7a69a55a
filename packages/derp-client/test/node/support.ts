// A relay of frames behind a real server on loopback: it greets, accepts, and echoes every packet to its sender.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { publicKeyOf } from '@mesh/keys'
import {
  encodeRecvPacket,
  FRAME_CLIENT_INFO,
  FRAME_SEND_PACKET,
  FrameReader,
  serverFrameLimit,
} from '@mesh/wire/derp'
import type { DerpConnection } from '../../src/node/index.ts'
import { acceptance, CLIENT_PRIVATE_KEY, greeting } from '../support.ts'

/** What the fake relay should do other than being nice. */
export interface FakeOptions {
  /** The address to listen on; 127.0.0.1 unless given. */
  readonly address?: string
  /** The port to listen on; any unless given. */
  readonly port?: number
  readonly tls?: ServerOptions
  /** Answers the upgrade with this status instead. */
  readonly refuse?: number
}

/** A fake relay that listens until disposed. */
export interface FakeRelay extends AsyncDisposable {
  readonly port: number
  /** The upgrade requests so far. */
  readonly requests: readonly IncomingMessage[]
  /** Hangs up on everybody. */
  hangUp(): void
}

export async function fakeRelay(options: FakeOptions = {}): Promise<FakeRelay> {
  const requests: IncomingMessage[] = []
  const hangUps = new Set<() => void>()
  const server: Server = options.tls === undefined ? createServer() : createTlsServer(options.tls)
  server.on('upgrade', (request, socket) => {
    requests.push(request)
    socket.on('error', () => undefined)
    hangUps.add(() => socket.destroy())
    if (options.refuse !== undefined) {
      socket.end(`HTTP/1.1 ${options.refuse} No\r\nContent-Length: 8\r\nConnection: close\r\n\r\nnot here`)
      return
    }
    // The greeting comes glued to the answer, as it does from a fast server.
    const answer = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n'
    socket.write(Buffer.concat([Buffer.from(answer), greeting()]))
    const reader = new FrameReader(serverFrameLimit)
    socket.on('data', (chunk: Uint8Array) => {
      reader.feed(chunk)
      for (let frame = reader.read(); frame !== undefined; frame = reader.read()) {
        if (frame.type === FRAME_CLIENT_INFO) socket.write(acceptance())
        if (frame.type !== FRAME_SEND_PACKET) continue
        const source = publicKeyOf(CLIENT_PRIVATE_KEY)
        socket.write(encodeRecvPacket({ source, packet: frame.payload.subarray(32) }))
      }
    })
  })
  server.listen(options.port ?? 0, options.address ?? '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    hangUp: () => hangUps.forEach((hangUp) => hangUp()),
    async [Symbol.asyncDispose]() {
      hangUps.forEach((hangUp) => hangUp())
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Waits for one sort of event. */
export function nextEvent(connection: DerpConnection, sort: string): Promise<unknown> {
  return new Promise((resolve) => {
    const stop = connection.onEvent((event) => {
      if (event.event !== sort) return
      stop()
      resolve(event)
    })
  })
}

/** Returns a TCP port on which nobody listens. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
