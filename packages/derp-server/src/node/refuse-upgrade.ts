// How an upgrade that is not wanted is answered: with a status and a sentence, and then the line goes dead.
import type { Duplex } from 'node:stream'

/** A client that does not hang up after the answer is hung up on, this many milliseconds later. */
const HANG_UP_TIMEOUT = 1000

/**
 * Answers an upgrade request with a status such as `404 Not Found` and a sentence, and ends the connection.
 *
 * Nothing else watches an upgraded socket, so one whose client does not hang up too is destroyed soon; not at once, for
 * what came unread would then wipe out the answer on its way.
 */
export function refuseUpgrade(socket: Duplex, status: string, sentence: string): void {
  const timer = setTimeout(() => socket.destroy(), HANG_UP_TIMEOUT)
  socket.on('error', () => socket.destroy())
  socket.on('end', () => socket.destroy())
  socket.on('close', () => clearTimeout(timer))
  socket.resume()
  const body = `${sentence}\n`
  const headers = `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${body.length}\r\nConnection: close`
  socket.end(`HTTP/1.1 ${status}\r\n${headers}\r\n\r\n${body}`)
}
