// What a UDP datagram is, by its first bytes (data-plane.md section 5.3, in its order). The kinds cannot be
// confused: WireGuard has zeros at 1..3, disco 0xF09F at 2..3, STUN 0x01 at 1.
import { isDisco } from '@mesh/wire/disco'
import { decodeGeneve, GENEVE_WIREGUARD, type GenevePacket } from '@mesh/wire/geneve'
import { isStun } from '@mesh/wire/stun'

/** What a datagram is. Whatever is nothing else is WireGuard's, garbage included: it authenticates. */
export type DatagramKind = 'stun' | 'geneve' | 'disco' | 'wireguard'

/** Returns what `datagram` is. */
export function classify(datagram: Uint8Array): DatagramKind {
  const first = datagram[0]
  // WireGuard transport data, nearly always: type 4 and three zeros, which nothing else begins with.
  if (first === 4 && datagram[1] === 0 && datagram[2] === 0) return 'wireguard'
  if (isStun(datagram)) return 'stun'
  if (isDisco(datagram)) return 'disco'
  const geneve = decodeGeneve(datagram)
  return geneve !== undefined && carriesSomething(geneve) ? 'geneve' : 'wireguard'
}

/** Geneve that says "disco" but carries none is taken for WireGuard. */
function carriesSomething({ protocol, payload }: GenevePacket): boolean {
  return protocol === GENEVE_WIREGUARD || isDisco(payload)
}
