// The frames under the control connection (control protocol §2.3). The client's first frame carries the version
// in front; every other frame is a type, a big-endian length and that many bytes.
//
//     initiation  u16 version | 0x01 | u16 96 | 32 ephemeral | 48 sealed static | 16 tag
//     response                  0x02 | u16 48 | 32 ephemeral | 16 tag
//     error                     0x03 | u16 n  | n bytes of text, not authenticated
//     record                    0x04 | u16 n  | n sealed bytes, at most 4093

/** The header that names this protocol in the HTTP upgrade. */
export const UPGRADE_PROTOCOL = 'tailscale-control-protocol'

/** The header that carries the initiation, in base64, through the HTTP upgrade. */
export const HANDSHAKE_HEADER = 'X-Tailscale-Handshake'

/** Frame types. */
export const NOISE_FRAME = { initiation: 1, response: 2, error: 3, record: 4 } as const

/** Length of the initiation's header. */
export const INITIATION_HEADER_LENGTH = 5

/** Length of every other frame's header. */
export const NOISE_HEADER_LENGTH = 3

/** Length of the Noise message in an initiation. */
export const INITIATION_MESSAGE_LENGTH = 96

/** Length of a whole initiation frame. */
export const INITIATION_LENGTH: number = INITIATION_HEADER_LENGTH + INITIATION_MESSAGE_LENGTH

/** Length of the Noise message in a response. */
export const RESPONSE_MESSAGE_LENGTH = 48

/** Length of a whole response frame. */
export const RESPONSE_LENGTH: number = NOISE_HEADER_LENGTH + RESPONSE_MESSAGE_LENGTH

/** The largest record, header included. */
export const MAX_RECORD_LENGTH = 4096

/** The most sealed bytes in a record. */
export const MAX_RECORD_CIPHERTEXT: number = MAX_RECORD_LENGTH - NOISE_HEADER_LENGTH

/** The most plain bytes in a record: 16 go to the tag. */
export const MAX_RECORD_PLAINTEXT: number = MAX_RECORD_CIPHERTEXT - 16

/** A client's first frame. */
export interface Initiation {
  /** The capability version, which is also in the prologue. */
  readonly version: number
  /** The 96-byte Noise message; a view. */
  readonly message: Uint8Array
}

/** Any later frame. */
export interface NoiseFrame {
  /** One of {@link NOISE_FRAME}. */
  readonly type: number
  /** The bytes after the header; a view. */
  readonly body: Uint8Array
  /** Length of the whole frame, header included. */
  readonly length: number
}

/** Byte offsets in an initiation. */
const VERSION = 0
const INITIATION_TYPE = 2
const INITIATION_SIZE = 3

/** Byte offsets in every other frame. */
const TYPE = 0
const SIZE = 1

/** Returns the initiation frame around the 96-byte Noise message. */
export function encodeInitiation(version: number, message: Uint8Array): Uint8Array {
  if (message.length !== INITIATION_MESSAGE_LENGTH) throw new RangeError('message must be 96 bytes')
  const frame = new Uint8Array(INITIATION_LENGTH)
  writeUint16(frame, VERSION, version)
  frame[INITIATION_TYPE] = NOISE_FRAME.initiation
  writeUint16(frame, INITIATION_SIZE, message.length)
  frame.set(message, INITIATION_HEADER_LENGTH)
  return frame
}

/** Reads an initiation frame, or returns `undefined` when it is anything else. `message` views `frame`. */
export function decodeInitiation(frame: Uint8Array): Initiation | undefined {
  if (frame.length !== INITIATION_LENGTH) return undefined
  if (frame[INITIATION_TYPE] !== NOISE_FRAME.initiation) return undefined
  if (readUint16(frame, INITIATION_SIZE) !== INITIATION_MESSAGE_LENGTH) return undefined
  return { version: readUint16(frame, VERSION), message: frame.subarray(INITIATION_HEADER_LENGTH) }
}

/** Returns a response, error or record frame around `body`; an error's text is cut at 65535 bytes. */
export function encodeNoiseFrame(type: number, body: Uint8Array): Uint8Array {
  const content = type === NOISE_FRAME.error ? body.subarray(0, 0xffff) : body
  if (content.length > maxBodyLength(type)) throw new RangeError('body is too long for its frame type')
  const frame = new Uint8Array(NOISE_HEADER_LENGTH + content.length)
  frame[TYPE] = type
  writeUint16(frame, SIZE, content.length)
  frame.set(content, NOISE_HEADER_LENGTH)
  return frame
}

/**
 * Reads the frame at the start of `bytes`: `'short'` when more bytes are needed, `undefined` when no more bytes
 * can help (an unknown type, or a length its type does not allow). `body` views `bytes`.
 */
export function decodeNoiseFrame(bytes: Uint8Array): NoiseFrame | 'short' | undefined {
  const type = bytes[TYPE]
  if (type === undefined) return 'short'
  if (type < NOISE_FRAME.response || type > NOISE_FRAME.record) return undefined
  if (bytes.length < NOISE_HEADER_LENGTH) return 'short'
  const size = readUint16(bytes, SIZE)
  if (size > maxBodyLength(type)) return undefined
  if (type === NOISE_FRAME.response && size !== RESPONSE_MESSAGE_LENGTH) return undefined
  const length = NOISE_HEADER_LENGTH + size
  if (bytes.length < length) return 'short'
  return { type, body: bytes.subarray(NOISE_HEADER_LENGTH, length), length }
}

function maxBodyLength(type: number): number {
  if (type === NOISE_FRAME.response) return RESPONSE_MESSAGE_LENGTH
  return type === NOISE_FRAME.record ? MAX_RECORD_CIPHERTEXT : 0xffff
}

function readUint16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0)
}

function writeUint16(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >> 8
  bytes[offset + 1] = value
}
