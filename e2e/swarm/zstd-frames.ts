// Where the frames of a zstd message begin and end (RFC 8878 §3.1), without unpacking them.

const MAGIC = 0xfd2fb528
/** The lowest of sixteen numbers that frames to be skipped begin with. */
const SKIPPABLE = 0x184d2a50
const BLOCK_HEADER = 3
const RLE = 1
const DICTIONARY_ID_LENGTH = [0, 1, 2, 4] as const
const CONTENT_SIZE_LENGTH = [0, 2, 4, 8] as const

/** Returns the frames of a message, as views. Throws when it does not consist of whole frames. */
export function zstdFrames(message: Uint8Array): Uint8Array[] {
  const view = new DataView(message.buffer, message.byteOffset, message.length)
  const frames: Uint8Array[] = []
  for (let at = 0; at < message.length; ) {
    const end = frameEnd(view, at)
    if (end > message.length) throw new RangeError('message: the last frame is cut off')
    frames.push(message.subarray(at, end))
    at = end
  }
  return frames
}

function frameEnd(view: DataView, start: number): number {
  const magic = view.getUint32(start, true)
  if ((magic & 0xfffffff0) >>> 0 === SKIPPABLE) return start + 8 + view.getUint32(start + 4, true)
  if (magic !== MAGIC) throw new RangeError('message: no zstd frame')
  const descriptor = view.getUint8(start + 4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  const contentSize = CONTENT_SIZE_LENGTH[(descriptor >> 6) as 0 | 1 | 2 | 3]
  let at = start + 5 + DICTIONARY_ID_LENGTH[(descriptor & 3) as 0 | 1 | 2 | 3]
  at += isSingleSegment ? Math.max(1, contentSize) : 1 + contentSize
  for (;;) {
    const block = view.getUint16(at, true) | (view.getUint8(at + 2) << 16)
    const size = ((block >> 1) & 3) === RLE ? 1 : block >> 3
    at += BLOCK_HEADER + size
    if ((block & 1) !== 0) break
  }
  return (descriptor & 4) !== 0 ? at + 4 : at
}
