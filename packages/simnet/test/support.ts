// What the tests of the network share: a socket that remembers what came, and a question to a STUN server.
import { type Endpoint, formatEndpoint } from '@mesh/wire/ip'
import { decodeBindingResponse, encodeBindingRequest } from '@mesh/wire/stun'
import type { SimHost, SimNet, SimSocket } from '../src/index.ts'

/** A socket and what has come to it, as `text from endpoint`. */
export interface Listener {
  readonly socket: SimSocket
  readonly seen: string[]
  say(to: Endpoint, text: string): void
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Opens a socket that remembers. */
export function listen(host: SimHost, port?: number): Listener {
  const socket = host.socket(port)
  const seen: string[] = []
  socket.onDatagram = (bytes, from) => seen.push(`${decoder.decode(bytes)} from ${formatEndpoint(from)}`)
  return { socket, seen, say: (to, text) => socket.send(to, encoder.encode(text)) }
}

/** Asks a STUN server what a socket looks like from there; `undefined` when no answer comes within a second. */
export function ask(net: SimNet, socket: SimSocket, server: Endpoint): Endpoint | undefined {
  let observed: Endpoint | undefined
  const before = socket.onDatagram
  socket.onDatagram = (bytes) => {
    observed = decodeBindingResponse(bytes)?.observed
  }
  socket.send(server, encodeBindingRequest(net.random(12)))
  net.clock.advanceBy(1000)
  socket.onDatagram = before
  return observed
}
