// Checking the checksums of a packet that came from outside. What came through the tunnel is authenticated, yet a
// user-space stack still owes its peers the check that a kernel would make.
import { internetChecksum, pseudoHeaderSum, sumWords } from './checksum.ts'
import type { IpPacket } from './packet.ts'
import { PROTOCOL_ICMP, PROTOCOL_ICMPV6, PROTOCOL_TCP, PROTOCOL_UDP } from './protocol.ts'

/**
 * Tells whether the checksums of a whole packet are right: the IPv4 header's, and that of UDP, TCP or ICMP inside.
 *
 * Other protocols and fragments have nothing to check beyond the header. UDP without a checksum passes over IPv4
 * and fails over IPv6. Allocates nothing but the two address views.
 */
export function checksumsOk(packet: IpPacket): boolean {
  const { bytes, start, protocol } = packet
  const at = start + packet.payloadOffset
  const end = start + packet.totalLength
  if (packet.version === 4 && internetChecksum(bytes, start, at) !== 0) return false
  if (packet.fragmentOffset > 0 || packet.moreFragments) return true
  if (protocol === PROTOCOL_ICMP && packet.version === 4) return internetChecksum(bytes, at, end) === 0
  const isUdp = protocol === PROTOCOL_UDP
  if (!isUdp && protocol !== PROTOCOL_TCP && protocol !== PROTOCOL_ICMPV6) return true
  if (isUdp) {
    if (end - at < 8) return false
    if (bytes[at + 6] === 0 && bytes[at + 7] === 0) return packet.version === 4
  }
  const segmentEnd = isUdp ? at + Math.min(sumWords(bytes, at + 4, at + 6), end - at) : end
  const pseudo = pseudoHeaderSum(packet.source, packet.destination, protocol, segmentEnd - at)
  return internetChecksum(bytes, at, segmentEnd, pseudo) === 0
}
