// The classic pcap file (draft-ietf-opsawg-pcap), as tcpdump and Wireshark read it: little-endian, microseconds,
// raw IP packets with no link layer.

/** Link type 101: the packet begins with its IPv4 or IPv6 header. */
export const LINKTYPE_RAW = 101

const MAGIC_MICROSECONDS = 0xa1b2c3d4
const MAJOR = 2
const MINOR = 4

/** Byte offsets in the file header: magic, versions, zone, accuracy, snap length, link type. */
const FILE_MAGIC = 0
const FILE_MAJOR = 4
const FILE_MINOR = 6
const FILE_SNAP_LENGTH = 16
const FILE_LINK_TYPE = 20
const FILE_HEADER_LENGTH = 24

/** Byte offsets in a record's header: seconds, microseconds, bytes kept, bytes there were. */
const RECORD_SECONDS = 0
const RECORD_MICROSECONDS = 4
const RECORD_KEPT = 8
const RECORD_ORIGINAL = 12
const RECORD_HEADER_LENGTH = 16

/** One captured packet. */
export interface PcapRecord {
  /** Wall time in milliseconds since 1970; microseconds survive as a fraction. */
  readonly time: number
  /** How long the packet was before it was cut to the snap length. */
  readonly originalLength: number
  /** The bytes kept. */
  readonly packet: Uint8Array
}

/** A capture read whole. */
export interface PcapFile {
  /** What the packets begin with; {@link LINKTYPE_RAW} in files of this package. */
  readonly linkType: number
  /** The most bytes kept of one packet. */
  readonly snapLength: number
  /** The packets, in the file's order. A record cut off by the file's end is left out. */
  readonly records: readonly PcapRecord[]
}

/** Returns the 24 bytes a capture of raw IP packets begins with. */
export function encodePcapHeader(snapLength: number): Uint8Array {
  const bytes = new Uint8Array(FILE_HEADER_LENGTH)
  const view = new DataView(bytes.buffer)
  view.setUint32(FILE_MAGIC, MAGIC_MICROSECONDS, true)
  view.setUint16(FILE_MAJOR, MAJOR, true)
  view.setUint16(FILE_MINOR, MINOR, true)
  view.setUint32(FILE_SNAP_LENGTH, snapLength, true)
  view.setUint32(FILE_LINK_TYPE, LINKTYPE_RAW, true)
  return bytes
}

/** Returns one record: the packet's first `snapLength` bytes behind their 16-byte header. `time` is wall time in ms. */
export function encodePcapRecord(time: number, packet: Uint8Array, snapLength: number): Uint8Array {
  const kept = packet.subarray(0, snapLength)
  const bytes = new Uint8Array(RECORD_HEADER_LENGTH + kept.length)
  const view = new DataView(bytes.buffer)
  const seconds = Math.floor(time / 1000)
  view.setUint32(RECORD_SECONDS, seconds, true)
  view.setUint32(RECORD_MICROSECONDS, Math.floor((time - seconds * 1000) * 1000), true)
  view.setUint32(RECORD_KEPT, kept.length, true)
  view.setUint32(RECORD_ORIGINAL, packet.length, true)
  bytes.set(kept, RECORD_HEADER_LENGTH)
  return bytes
}

/** Reads a little-endian microsecond capture, or returns `undefined` for anything else. Packets view `file`. */
export function decodePcap(file: Uint8Array): PcapFile | undefined {
  if (file.length < FILE_HEADER_LENGTH) return undefined
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  if (view.getUint32(FILE_MAGIC, true) !== MAGIC_MICROSECONDS) return undefined
  if (view.getUint16(FILE_MAJOR, true) !== MAJOR) return undefined
  const records: PcapRecord[] = []
  let at = FILE_HEADER_LENGTH
  while (at + RECORD_HEADER_LENGTH <= file.length) {
    const kept = view.getUint32(at + RECORD_KEPT, true)
    const start = at + RECORD_HEADER_LENGTH
    if (start + kept > file.length) break
    records.push({
      time:
        view.getUint32(at + RECORD_SECONDS, true) * 1000 +
        view.getUint32(at + RECORD_MICROSECONDS, true) / 1000,
      originalLength: view.getUint32(at + RECORD_ORIGINAL, true),
      packet: file.subarray(start, start + kept),
    })
    at = start + kept
  }
  return {
    linkType: view.getUint32(FILE_LINK_TYPE, true),
    snapLength: view.getUint32(FILE_SNAP_LENGTH, true),
    records,
  }
}
