// The frame that everything to and from a relay travels in (data-plane section 2.5): a type, a length, a payload.
import { readU32, writeU32 } from '../big-endian.ts'

/** Bytes in front of a frame's payload: type u8, length u32 big-endian. */
export const FRAME_HEADER_LENGTH = 5

/** Server to client, first of all: magic and the server's public key. */
export const FRAME_SERVER_KEY = 0x01
/** Client to server: public key and sealed {@link ClientInfo}. */
export const FRAME_CLIENT_INFO = 0x02
/** Server to client: sealed {@link ServerInfo}; the client is known from here on. */
export const FRAME_SERVER_INFO = 0x03
/** Client to server: a packet for somebody. */
export const FRAME_SEND_PACKET = 0x04
/** Server to client: a packet from somebody. */
export const FRAME_RECV_PACKET = 0x05
/** Server to client, about once a minute: nothing. */
export const FRAME_KEEP_ALIVE = 0x06
/** Client to server: whether this relay is the client's home. */
export const FRAME_NOTE_PREFERRED = 0x07
/** Server to client: somebody is no longer to be reached here. */
export const FRAME_PEER_GONE = 0x08
/** Server to watcher: somebody is here. */
export const FRAME_PEER_PRESENT = 0x09
/** Relay to relay: a packet from somebody for somebody. */
export const FRAME_FORWARD_PACKET = 0x0a
/** Relay to relay: "tell me who is there". */
export const FRAME_WATCH_CONNS = 0x10
/** Relay to relay: "close this client's connections". */
export const FRAME_CLOSE_PEER = 0x11
/** Either way: asks for a pong. */
export const FRAME_PING = 0x12
/** Either way: the 8 bytes of a ping. */
export const FRAME_PONG = 0x13
/** Server to client: a problem in words, or none. */
export const FRAME_HEALTH = 0x14
/** Server to client: about to restart. */
export const FRAME_RESTARTING = 0x15

/** Longest packet a relay carries, in bytes. */
export const MAX_PACKET_LENGTH = 65_536
/** Longest frame a client reads, in bytes of payload. */
export const MAX_CLIENT_FRAME = 1_048_576
/** Longest client info a server reads, in bytes of payload. */
export const MAX_CLIENT_INFO = 262_144
/** Shortest client info: key, nonce, and nothing sealed. */
export const MIN_CLIENT_INFO = 56
/** Longest ping a server reads, in bytes of payload. */
export const MAX_PING = 1000

/** A frame; `payload` is a view, see {@link FrameReader}. */
export interface Frame {
  /** One of the `FRAME_…` numbers, or one that is not known here. */
  readonly type: number
  /** What follows the header. */
  readonly payload: Uint8Array
}

/** Returns a frame whose payload is the parts one behind the other, each copied once. */
export function encodeFrame(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const frame = new Uint8Array(FRAME_HEADER_LENGTH + length)
  writeFrameHeader(frame, 0, type, length)
  let at = FRAME_HEADER_LENGTH
  for (const part of parts) {
    frame.set(part, at)
    at += part.length
  }
  return frame
}

/** Writes the 5 bytes in front of a payload of `length` bytes at `at`. */
export function writeFrameHeader(into: Uint8Array, at: number, type: number, length: number): void {
  into[at] = type
  writeU32(into, at + 1, length)
}

/** Returns the length that the frame header at `at` claims; the caller has checked that it is whole. */
export function claimedLength(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 1)
}

/**
 * Reads one frame that fills `bytes` from the start, or returns `undefined` when it is not whole. For tests and
 * single frames; a stream is read by {@link FrameReader}.
 */
export function decodeFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < FRAME_HEADER_LENGTH) return undefined
  const end = FRAME_HEADER_LENGTH + claimedLength(bytes, 0)
  if (end > bytes.length) return undefined
  return { type: bytes[0]!, payload: bytes.subarray(FRAME_HEADER_LENGTH, end) }
}
