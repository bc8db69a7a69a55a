// STUN, as far as a relay needs it: whoever asks the question that Tailscale's clients ask is told the address
// it was seen at. Anything else gets silence, so nobody can be flooded through us: an answer is hardly longer
// than the question (data-plane §3.1).
import type { Endpoint } from '@mesh/wire/ip'
import { decodeBindingRequest, encodeBindingResponse } from '@mesh/wire/stun'

/**
 * Returns the answer to a STUN binding request, or `undefined` when `datagram` is none, lacks the SOFTWARE
 * attribute of Tailscale's clients, or has a wrong fingerprint.
 *
 * @param source - Where the datagram came from; an IPv4 source has a 4-byte address.
 */
export function answerStun(datagram: Uint8Array, source: Endpoint): Uint8Array | undefined {
  const request = decodeBindingRequest(datagram)
  return request && encodeBindingResponse(request.txId, source)
}
