// A zstd frame around bytes as they are (RFC 8878 §3.1.1). To set a compressor up takes 20 µs, which a few words between two
// long lists are not worth.

/** The most bytes that a raw frame is made for: its length is one byte. */
export const MAX_RAW = 255

const MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const
/** One segment, its length in one byte; no checksum, no dictionary. */
const DESCRIPTOR = 0x20
/** Magic, descriptor, length; then the header of the one block. */
const HEADER_LENGTH = 4 + 1 + 1 + 3
const LAST_BLOCK = 1

/** Returns bytes, at most {@link MAX_RAW}, as one frame. */
export function rawFrame(bytes: Uint8Array): Uint8Array {
  const { length } = bytes
  if (length > MAX_RAW) throw new RangeError(`bytes: ${length} do not fit, only ${MAX_RAW} do`)
  // A block's header is 24 bits: whether it is the last, its type, which is 0 for raw, and its size.
  const block = (length << 3) | LAST_BLOCK
  const frame = new Uint8Array(HEADER_LENGTH + length)
  frame.set([...MAGIC, DESCRIPTOR, length, block & 0xff, block >> 8, 0])
  frame.set(bytes, HEADER_LENGTH)
  return frame
}
