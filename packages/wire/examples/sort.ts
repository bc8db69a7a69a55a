import { isDisco } from '@mesh/wire/disco'
import { isGeneve } from '@mesh/wire/geneve'
import { formatEndpoint, parseEndpoint } from '@mesh/wire/ip'
import { decodeBindingResponse, encodeBindingResponse, isStun } from '@mesh/wire/stun'
import { messageType } from '@mesh/wire/wireguard'

/** Says what a datagram on the one shared UDP socket is, without believing any of it. */
function kindOf(datagram: Uint8Array): string {
  if (isStun(datagram)) return 'STUN'
  if (isGeneve(datagram)) return 'relayed'
  if (isDisco(datagram)) return 'disco'
  return messageType(datagram) ? 'WireGuard' : 'noise'
}

const seen = parseEndpoint('203.0.113.7:41641')
if (seen) {
  const answer = encodeBindingResponse(new Uint8Array(12), seen)
  console.log(kindOf(answer), answer.length) // STUN 32
  const read = decodeBindingResponse(answer)
  console.log(read && formatEndpoint(read.observed)) // 203.0.113.7:41641
}
console.log(kindOf(Uint8Array.of(7))) // noise
console.log(decodeBindingResponse(Uint8Array.of(1, 1))) // undefined
