// IPv4 UDP packets for tests, made by hand so that this package needs no codec.

/** Returns an IPv4 UDP packet of `length` bytes between two addresses, its payload filled from `mark`. */
export function udpPacket(source: string, destination: string, length: number, mark: number): Uint8Array {
  const packet = new Uint8Array(length)
  const view = new DataView(packet.buffer)
  packet.set([0x45, 0], 0)
  view.setUint16(2, length)
  packet.set([64, 17], 8)
  packet.set(source.split('.').map(Number), 12)
  packet.set(destination.split('.').map(Number), 16)
  view.setUint16(10, checksum(packet.subarray(0, 20)))
  view.setUint16(20, 4000)
  view.setUint16(22, 4001)
  view.setUint16(24, length - 20)
  for (let at = 28; at < length; at++) packet[at] = (mark + at) & 0xff
  return packet
}

function checksum(bytes: Uint8Array): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}
