// CRC-32 of IEEE 802.3, reflected: the checksum under STUN's fingerprint.

const TABLE: Int32Array = new Int32Array(256).map((_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})

/** Returns the CRC-32 of `bytes[0, end)` as an unsigned number. */
export function crc32(bytes: Uint8Array, end: number = bytes.length): number {
  let crc = -1
  for (let i = 0; i < end; i += 1) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]!) & 0xff]!
  return ~crc >>> 0
}
