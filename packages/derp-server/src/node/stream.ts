// The two kinds of stream that carry DERP, made alike: a raw socket after an HTTP upgrade, and a WebSocket.
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { Origin } from '../connection.ts'
import { PieceWriter } from './piece-writer.ts'

/** Between TCP keep-alive probes on a quiet connection: 10 min (data-plane §2.6). */
const TCP_KEEP_ALIVE = 600_000

/** A stream of bytes to one client. */
export interface RelayStream {
  /** Writes the chunks in order, and tells piece by piece what was passed on. The chunks are the stream's from now on. */
  write(chunks: readonly Uint8Array[]): void
  /** Stops reading until {@link RelayStream.resume}. */
  pause(): void
  resume(): void
  /** Ends the stream at once. Idempotent. */
  destroy(): void
}

/** Who is told what comes out of a {@link RelayStream}. */
export interface RelayStreamEvents {
  bytes(bytes: Uint8Array): void
  /** So many more of the bytes written have been passed on. */
  taken(length: number): void
  closed(): void
}

/** Returns what is known of the one behind an upgrade request; an empty source when it is not a socket. */
export function originOf(request: IncomingMessage, socket: Duplex): Origin {
  const address = 'remoteAddress' in socket ? socket.remoteAddress : undefined
  const port = 'remotePort' in socket ? socket.remotePort : undefined
  return {
    source: typeof address === 'string' ? address : '',
    port: typeof port === 'number' ? port : 0,
    notIdeal: request.headers['ideal-node'] !== undefined,
  }
}

/** Makes a stream of a socket whose HTTP upgrade is done; `head` is what came glued to the request (S4). */
export function socketStream(
  socket: Duplex,
  head: Uint8Array,
  events: RelayStreamEvents,
  tcpKeepAlive: number = TCP_KEEP_ALIVE,
): RelayStream {
  tune(socket, tcpKeepAlive)
  // Before there is a listener: then it comes out with the rest, and not from within this call.
  if (head.length > 0) socket.unshift(head)
  socket.on('data', (chunk: Buffer) => events.bytes(bytesOf(chunk)))
  socket.on('close', () => events.closed())
  // One function for all sockets: there are thousands. Errors have it already, from before the upgrade.
  socket.on('end', destroyThis)
  const pieces = new PieceWriter((chunks, done) => writeAll(socket, chunks, done), events)
  return {
    write: (chunks) => pieces.write(chunks),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    destroy: () => socket.destroy(),
  }
}

/** Makes a stream of a WebSocket with subprotocol `derp`: message boundaries mean nothing (data-plane §2.4). */
export function webSocketStream(webSocket: WebSocket, events: RelayStreamEvents): RelayStream {
  webSocket.on('message', (data, isBinary) => {
    if (!isBinary) return webSocket.close(UNSUPPORTED_DATA)
    for (const chunk of Array.isArray(data) ? data : [data]) events.bytes(new Uint8Array(chunk))
  })
  webSocket.on('error', () => webSocket.terminate())
  webSocket.on('close', () => events.closed())
  const pieces = new PieceWriter((chunks, done) => webSocket.send(Buffer.concat(chunks), done), events)
  return {
    write: (chunks) => pieces.write(chunks),
    pause: () => webSocket.pause(),
    resume: () => webSocket.resume(),
    destroy: () => webSocket.terminate(),
  }
}

/** Makes an error the end of a socket. */
export function destroyOnError(socket: Duplex): void {
  socket.on('error', destroyThis)
}

function destroyThis(this: Duplex): void {
  this.destroy()
}

/** WebSocket close code for a message of a kind not taken here. */
const UNSUPPORTED_DATA = 1003

function tune(socket: Duplex, tcpKeepAlive: number): void {
  if ('setNoDelay' in socket && typeof socket.setNoDelay === 'function') socket.setNoDelay(true)
  if ('setKeepAlive' in socket && typeof socket.setKeepAlive === 'function') {
    socket.setKeepAlive(tcpKeepAlive > 0, tcpKeepAlive)
  }
  if ('setTimeout' in socket && typeof socket.setTimeout === 'function') socket.setTimeout(0)
}

// The same bytes without Buffer's manners: its slice is a view where everybody else's is a copy, and its views cost
// more to make.
function bytesOf(chunk: Buffer): Uint8Array {
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)
}

// Corked, so that what belongs together becomes one system call; the last chunk's callback speaks for all.
function writeAll(socket: Duplex, chunks: readonly Uint8Array[], done: () => void): void {
  if (socket.destroyed || socket.writableEnded) return
  if (chunks.length === 1) return void socket.write(chunks[0]!, done)
  socket.cork()
  const last = chunks.length - 1
  for (let i = 0; i < last; i += 1) socket.write(chunks[i]!)
  socket.write(chunks[last]!, done)
  socket.uncork()
}
