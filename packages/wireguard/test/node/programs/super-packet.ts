// A super-packet of TCP with its virtio header, as a TUN with offloads hands it over.
import { tcpPacket } from '../../linux/packets.ts'

/** Bytes of TCP in a segment, and segments in a super-packet. */
export const SEGMENT = 1_368
export const SEGMENTS = 44

/** Returns one: 10 bytes of header (struct virtio_net_hdr), then IPv4. */
export function superPacket(): Uint8Array {
  const tcp = { v6: false, options: 12, length: SEGMENT * SEGMENTS, sequence: 1, id: 1, flags: 0x10 }
  const whole = tcpPacket(tcp)
  const bytes = new Uint8Array(10 + whole.length)
  bytes.set(whole, 10)
  const view = new DataView(bytes.buffer)
  bytes.set([1, 1], 0)
  view.setUint16(2, 52, true)
  view.setUint16(4, SEGMENT, true)
  view.setUint16(6, 20, true)
  view.setUint16(8, 16, true)
  return bytes
}
