// UDP (RFC 768): two ports, a length, a checksum.
import { readU16, writeU16 } from '../big-endian.ts'
import { internetChecksum, pseudoHeaderSum } from './checksum.ts'
import type { Endpoint } from './endpoint.ts'
import { ipHeaderLength, startPacket } from './header.ts'
import { PROTOCOL_UDP } from './protocol.ts'

/** Bytes of a UDP header. */
export const UDP_HEADER_LENGTH = 8

/** A UDP segment; `payload` is a view. */
export interface UdpSegment {
  /** Port of the sender. */
  readonly sourcePort: number
  /** Port of the receiver. */
  readonly destinationPort: number
  /** The checksum as it came; 0 means none was computed (IPv4 only). */
  readonly checksum: number
  /** The data, without what lies beyond the length in the header. */
  readonly payload: Uint8Array
}

/** Reads a UDP segment (the payload of an IP packet), or returns `undefined` when it is shorter than it claims. */
export function decodeUdp(segment: Uint8Array): UdpSegment | undefined {
  if (segment.length < UDP_HEADER_LENGTH) return undefined
  const length = readU16(segment, 4)
  if (length < UDP_HEADER_LENGTH || length > segment.length) return undefined
  return {
    sourcePort: readU16(segment, 0),
    destinationPort: readU16(segment, 2),
    checksum: readU16(segment, 6),
    payload: segment.subarray(UDP_HEADER_LENGTH, length),
  }
}

/**
 * Returns a whole IP packet that carries `payload` by UDP from `source` to `destination`, checksums included.
 *
 * @throws RangeError when the families differ or the packet would be too long.
 */
export function encodeUdpPacket(source: Endpoint, destination: Endpoint, payload: Uint8Array): Uint8Array {
  const length = UDP_HEADER_LENGTH + payload.length
  const header = { source: source.address, destination: destination.address, protocol: PROTOCOL_UDP }
  const packet = startPacket(header, length)
  const at = ipHeaderLength(source.address)
  writeU16(packet, at, source.port)
  writeU16(packet, at + 2, destination.port)
  writeU16(packet, at + 4, length)
  packet.set(payload, at + UDP_HEADER_LENGTH)
  const pseudo = pseudoHeaderSum(source.address, destination.address, PROTOCOL_UDP, length)
  // A computed zero is sent as all ones, because zero says "no checksum".
  writeU16(packet, at + 6, internetChecksum(packet, at, packet.length, pseudo) || 0xffff)
  return packet
}
