// Packets for the tests of segmentation and coalescing, with checksums worked out the slow way.

export function checksum(data: Uint8Array): number {
  let sum = 0
  for (let i = 0; i < data.length; i += 2) sum += ((data[i] ?? 0) << 8) | (data[i + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000)
  return ~sum & 0xffff
}

export function pseudoHeader(packet: Uint8Array, protocol: number): Uint8Array {
  const v6 = (packet[0] ?? 0) >> 4 === 6
  const length = packet.length - (v6 ? 40 : 20)
  const addresses = v6 ? packet.subarray(8, 40) : packet.subarray(12, 20)
  return Uint8Array.from([...addresses, 0, protocol, length >> 8, length & 255])
}

function ipPacket(v6: boolean, protocol: number, id: number, transport: Uint8Array): Uint8Array {
  const header = new Uint8Array(v6 ? 40 : 20)
  const packet = new Uint8Array(header.length + transport.length)
  const view = new DataView(packet.buffer)
  packet.set(transport, header.length)
  if (v6) {
    packet[0] = 0x60
    view.setUint16(4, transport.length)
    packet[6] = protocol
    packet[7] = 64
    packet.fill(0xfd, 8, 10)
    packet[23] = 2
    packet.fill(0xfd, 24, 26)
    packet[39] = 1
    return packet
  }
  packet[0] = 0x45
  view.setUint16(2, packet.length)
  view.setUint16(4, id)
  packet[6] = 0x40
  packet[8] = 64
  packet[9] = protocol
  packet.set([10, 0, 0, 2, 10, 0, 0, 1], 12)
  view.setUint16(10, checksum(packet.subarray(0, 20)))
  return packet
}

export interface TcpOptions {
  v6: boolean
  options: number
  length: number
  sequence: number
  id: number
  flags: number
  port?: number
  window?: number
}

export function tcpPacket({
  v6,
  options,
  length,
  sequence,
  id,
  flags,
  port = 1,
  window = 9,
}: TcpOptions): Uint8Array {
  const header = 20 + options
  const tcp = new Uint8Array(header + length)
  const view = new DataView(tcp.buffer)
  view.setUint16(0, port)
  view.setUint16(2, 80)
  view.setUint32(4, sequence)
  view.setUint32(8, 77)
  tcp[12] = (header / 4) << 4
  tcp[13] = flags
  view.setUint16(14, window)
  tcp.fill(1, 20, header)
  for (let i = 0; i < length; i += 1) tcp[header + i] = (sequence + i) & 255
  const packet = ipPacket(v6, 6, id, tcp)
  const at = v6 ? 40 : 20
  const sum = checksum(Buffer.concat([pseudoHeader(packet, 6), tcp]))
  new DataView(packet.buffer).setUint16(at + 16, sum)
  return packet
}

/** A UDP super-packet with its virtio header, as the kernel hands it over. */
export function udpPacket({
  v6,
  length,
  gso,
  port = 0,
}: {
  v6: boolean
  length: number
  gso: number
  port?: number
}): Uint8Array {
  const udp = new Uint8Array(8 + length)
  new DataView(udp.buffer).setUint16(0, port)
  new DataView(udp.buffer).setUint16(2, 53)
  new DataView(udp.buffer).setUint16(4, 8 + length)
  // No two pieces are alike.
  for (let i = 8; i + 4 <= udp.length; i += 4) new DataView(udp.buffer).setUint32(i, i)
  const packet = ipPacket(v6, 17, 1, udp)
  const whole = new Uint8Array(10 + packet.length)
  whole.set(packet, 10)
  const view = new DataView(whole.buffer)
  whole[0] = 1
  whole[1] = 5
  view.setUint16(4, gso, true)
  view.setUint16(6, v6 ? 40 : 20, true)
  view.setUint16(8, 6, true)
  return whole
}
