// Something else that lives under the server's address: the embedded relay.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'

/** A guest of the server: it is asked first, and leaves what is not its own. */
export interface Guest {
  /** Answers a request, or returns false. */
  handleRequest(request: IncomingMessage, response: ServerResponse): boolean
  /** Takes an upgraded connection over, or returns false. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean
}
