// The way in for machines: an upgrade, to Noise itself or to a WebSocket that carries it, becomes a connection whose
// machine is proven (control §2.1, §2.2).

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { ClientAddress } from './client-address.ts'
import { acceptNoise, acceptNoiseInside, queryInitiation, refuse } from './accept-noise.ts'
import type { NoiseConnection, NoiseResponder } from './accept-noise.ts'
import { requestTarget } from './request-target.ts'
import { wantsWebSocket, WebSocketDoor } from './web-socket-door.ts'

/** What the door needs. */
export interface NoiseDoorOptions {
  readonly responder: NoiseResponder
  readonly addressOf: ClientAddress
  /** Takes a machine that has proven itself. */
  readonly onConnection: (connection: NoiseConnection) => void
}

/** Answers upgrade requests. */
export class NoiseDoor {
  readonly #options: NoiseDoorOptions
  readonly #webSockets = new WebSocketDoor()

  constructor(options: NoiseDoorOptions) {
    this.#options = options
  }

  /**
   * Answers an upgrade request; a refused one ends with a sentence.
   *
   * @param head - Bytes that came after the request.
   */
  handleUpgrade(request: IncomingMessage, socket: Socket, head: Uint8Array): void {
    socket.on('error', () => socket.destroy())
    if (wantsWebSocket(request)) return this.#openWebSocket(request, socket, head)
    const { responder, addressOf, onConnection } = this.#options
    const connection = acceptNoise(request, socket, head, responder, addressOf(request))
    if (connection) onConnection(connection)
  }

  /** Takes nobody any more. */
  close(): void {
    this.#webSockets.close()
  }

  #openWebSocket(request: IncomingMessage, socket: Socket, head: Uint8Array): void {
    const { path, query } = requestTarget(request.url ?? '')
    if (path !== '/ts2021') return refuse(socket, 'not found', '404 Not Found')
    const initiation = queryInitiation(query)
    if (!initiation) return refuse(socket, 'the query holds no initiation')
    const { responder, addressOf, onConnection } = this.#options
    const address = addressOf(request)
    this.#webSockets.accept(request, socket, head, (stream) => {
      const connection = acceptNoiseInside(stream, initiation, address, responder)
      if (connection) onConnection(connection)
    })
  }
}
