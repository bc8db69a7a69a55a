// What a UDP datagram is, by its first bytes (data-plane.md section 5.3, in its order). The kinds cannot be
// confused: WireGuard has zeros at 1..3, disco 0xF09F at 2..3, STUN 0x01 at 1.
import { isDisco } from '@mesh/wire/disco'
import { isStun } from '@mesh/wire/stun'

/** What a datagram is. Whatever is nothing else is WireGuard's, garbage included: it authenticates. */
export type DatagramKind = 'stun' | 'geneve' | 'disco' | 'wireguard'

const GENEVE_HEADER_LENGTH = 8
const GENEVE_PROTOCOL = 2
const GENEVE_RESERVED = 7
const GENEVE_PROTOCOL_DISCO = 0x7a11
const GENEVE_PROTOCOL_WIREGUARD = 0x7a12

/** Returns what `datagram` is. */
export function classify(datagram: Uint8Array): DatagramKind {
  const first = datagram[0]
  // WireGuard transport data, nearly always: type 4 and three zeros, which nothing else begins with.
  if (first === 4 && datagram[1] === 0 && datagram[2] === 0) return 'wireguard'
  if (isStun(datagram)) return 'stun'
  if (isDisco(datagram)) return 'disco'
  return looksLikeGeneve(datagram) ? 'geneve' : 'wireguard'
}

/** Geneve that says "disco" but carries none is taken for WireGuard. */
function looksLikeGeneve(datagram: Uint8Array): boolean {
  if (datagram.length < GENEVE_HEADER_LENGTH) return false
  if ((datagram[0]! & 0xc0) !== 0 || (datagram[1]! & 0x3f) !== 0 || datagram[GENEVE_RESERVED] !== 0)
    return false
  const protocol = datagram[GENEVE_PROTOCOL]! * 0x100 + datagram[GENEVE_PROTOCOL + 1]!
  if (protocol === GENEVE_PROTOCOL_WIREGUARD) return true
  return protocol === GENEVE_PROTOCOL_DISCO && isDisco(datagram.subarray(GENEVE_HEADER_LENGTH))
}
