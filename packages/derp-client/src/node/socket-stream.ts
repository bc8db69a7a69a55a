// The ByteStream seat filled with a Node socket, plain or TLS.
import type { Socket } from 'node:net'
import type { ByteStream, ByteStreamEvents } from '../byte-stream.ts'

/** Between TCP keep-alive probes on a quiet connection: 10 min. */
const TCP_KEEP_ALIVE = 600_000

/** Makes a stream of an open socket; `head` is what has been read from it already. */
export function socketStream(socket: Socket, head: Uint8Array): ByteStream {
  socket.setNoDelay(true)
  socket.setKeepAlive(true, TCP_KEEP_ALIVE)
  socket.setTimeout(0)
  if (head.length > 0) socket.unshift(head)
  let closedByOwner = false

  function start(events: ByteStreamEvents): void {
    let cause: Error | undefined
    socket.on('data', (chunk: Buffer) => events.bytes(bytesOf(chunk)))
    socket.on('drain', () => events.drained())
    socket.on('error', (error) => {
      cause = error
    })
    socket.on('end', () => socket.destroy())
    socket.on('close', () => {
      if (!closedByOwner) events.closed(cause)
    })
    if (socket.destroyed) queueMicrotask(() => closedByOwner || events.closed())
  }

  function close(): void {
    closedByOwner = true
    socket.on('error', () => undefined)
    socket.destroy()
  }

  // Packets sent in one turn of the loop leave in one system call, and in one TLS record.
  let corked = false
  function write(bytes: Uint8Array): boolean {
    if (!corked) {
      corked = true
      socket.cork()
      process.nextTick(uncork)
    }
    return socket.write(bytes)
  }
  function uncork(): void {
    corked = false
    socket.uncork()
  }

  return { start, write, close }
}

// The same bytes without Buffer's manners: its slice is a view where everybody else's is a copy.
function bytesOf(chunk: Buffer): Uint8Array {
  return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length)
}
