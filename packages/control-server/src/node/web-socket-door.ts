// WebSockets as byte streams. Browsers, and machines behind proxies that forward no other upgrade, carry the Noise records
// over one; message boundaries mean nothing (control §2.2).

import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { UPGRADE_PROTOCOL } from '@mesh/wire/control'
import { createWebSocketStream, WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'

/** The longest message taken, bytes; a client may put several records into one. */
const MAX_MESSAGE = 256 << 10
/** WebSocket close codes (RFC 6455 section 7.4.1). */
const UNSUPPORTED_DATA = 1003
const POLICY_VIOLATION = 1008
/** How long a client may take to answer a close, milliseconds. */
const CLOSE_TIMEOUT = 1000

/** Tells whether a request wants a WebSocket. */
export function wantsWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket'
}

/** Opens the WebSockets of a server. */
export class WebSocketDoor {
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE,
    handleProtocols: (offered) => (offered.has(UPGRADE_PROTOCOL) ? UPGRADE_PROTOCOL : false),
  })

  /**
   * Answers an upgrade request. Calls `open` with the bytes of its binary messages as a stream; a client that does not
   * name the protocol is closed with 1008, and one that sends text with 1003.
   *
   * @param head - Bytes that came after the request.
   */
  accept(request: IncomingMessage, socket: Duplex, head: Uint8Array, open: (stream: Duplex) => void): void {
    this.#server.handleUpgrade(request, socket, Buffer.from(head), (webSocket) => {
      if (webSocket.protocol !== UPGRADE_PROTOCOL)
        return hangUp(webSocket, POLICY_VIOLATION, `this address speaks ${UPGRADE_PROTOCOL}`)
      webSocket.on('message', (_data, isBinary) => {
        if (!isBinary) hangUp(webSocket, UNSUPPORTED_DATA, 'only binary messages')
      })
      open(createWebSocketStream(webSocket))
    })
  }

  /** Takes no more of them, and hangs up on those that are there: one that was refused may be slow to leave. */
  close(): void {
    this.#server.close()
    for (const webSocket of this.#server.clients) webSocket.terminate()
  }
}

/** Closes with a reason; a client that does not answer is cut off soon. */
function hangUp(webSocket: WebSocket, code: number, reason: string): void {
  // Until it is gone a client may give as many more reasons as it likes.
  if (webSocket.readyState !== webSocket.OPEN) return
  webSocket.on('error', () => undefined)
  webSocket.close(code, reason)
  setTimeout(() => webSocket.terminate(), CLOSE_TIMEOUT).unref()
}
