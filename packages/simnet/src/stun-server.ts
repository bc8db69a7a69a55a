// The host that tells others what they look like from outside.
import type { Endpoint } from '@mesh/wire/ip'
import { decodeBindingRequest, encodeBindingResponse } from '@mesh/wire/stun'
import type { SimHost } from './host.ts'

/** The port STUN is asked on. */
export const STUN_PORT = 3478

/**
 * Makes a host answer STUN binding requests on a port, with the codec that real relays use.
 *
 * @returns Where to ask.
 */
export function answerStun(host: SimHost, port: number = STUN_PORT): Endpoint {
  const socket = host.socket(port)
  socket.onDatagram = (bytes, from) => {
    const request = decodeBindingRequest(bytes)
    if (request) socket.send(from, encodeBindingResponse(request.txId, from))
  }
  return host.endpoint(port)
}
