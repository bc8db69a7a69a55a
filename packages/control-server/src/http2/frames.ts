// The frames of HTTP/2 (RFC 9113 §4, §6) as far as a server writes them.

/** Bytes in front of every frame: length, type, flags, stream. */
export const FRAME_HEADER = 9
/** The largest frame that either side may send unasked. */
export const MAX_FRAME = 16_384
/** What may be under way in a window that nobody changed, and the most any window may hold. */
export const DEFAULT_WINDOW = 65_535
export const MAX_WINDOW = 0x7fffffff

/** Types of frames. */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

/** Flags of frames; an acknowledgement and the end of a stream are the same bit of different frames. */
export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 0x20 } as const

/** Settings a client may change that matter here. */
export const SETTING = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const

/** Why a stream or a connection ends. */
export const CODE = {
  none: 0,
  protocol: 1,
  internal: 2,
  flowControl: 3,
  streamClosed: 5,
  frameSize: 6,
  refused: 7,
  cancel: 8,
  compression: 9,
  calm: 11,
} as const

/** What a client says first (RFC 9113 §3.4). */
export const PREFACE = Uint8Array.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', (char) => char.charCodeAt(0))

/** Writes the header of a frame. */
export function putFrameHeader(
  into: Uint8Array,
  at: number,
  length: number,
  type: number,
  flags: number,
  stream: number,
): void {
  into[at] = length >> 16
  into[at + 1] = length >> 8
  into[at + 2] = length
  into[at + 3] = type
  into[at + 4] = flags
  putU32(into, at + 5, stream)
}

/** Returns a frame whose body is these bytes. */
export function frame(type: number, flags: number, stream: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER + body.length)
  putFrameHeader(bytes, 0, body.length, type, flags, stream)
  bytes.set(body, FRAME_HEADER)
  return bytes
}

/** Returns a frame whose body is numbers of 32 bits. */
export function frameOf(type: number, stream: number, ...numbers: readonly number[]): Uint8Array {
  const body = new Uint8Array(4 * numbers.length)
  for (const [i, number] of numbers.entries()) putU32(body, 4 * i, number)
  return frame(type, 0, stream, body)
}

/** Returns a SETTINGS frame. */
export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Uint8Array {
  const body = new Uint8Array(6 * settings.length)
  for (const [i, [id, value]] of settings.entries()) {
    body[6 * i + 1] = id
    putU32(body, 6 * i + 2, value)
  }
  return frame(FRAME.settings, 0, 0, body)
}

/** Returns the number of 32 bits at a place. */
export function u32(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)) >>>
    0
  )
}

function putU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >> 24
  into[at + 1] = value >> 16
  into[at + 2] = value >> 8
  into[at + 3] = value
}
