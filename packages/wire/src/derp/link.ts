// The frames about the connection itself: alive, at home, healthy, restarting (data-plane section 2.5).
import { readU32, writeU32 } from '../big-endian.ts'
import {
  FRAME_HEALTH,
  FRAME_KEEP_ALIVE,
  FRAME_NOTE_PREFERRED,
  FRAME_PING,
  FRAME_PONG,
  FRAME_RESTARTING,
  encodeFrame,
} from './frame.ts'

/** Bytes of a ping that a pong brings back. */
export const PING_LENGTH = 8

/** Returns a keep-alive frame. */
export function encodeKeepAlive(): Uint8Array {
  return encodeFrame(FRAME_KEEP_ALIVE)
}

/** Returns a note-preferred frame: whether this relay is the client's home. */
export function encodeNotePreferred(preferred: boolean): Uint8Array {
  return encodeFrame(FRAME_NOTE_PREFERRED, Uint8Array.of(preferred ? 1 : 0))
}

/** Reads the payload of a note-preferred frame, or returns `undefined` unless it is exactly one byte, 0 or 1. */
export function decodeNotePreferred(payload: Uint8Array): boolean | undefined {
  return payload.length === 1 && payload[0]! <= 1 ? payload[0] === 1 : undefined
}

/** Returns a ping frame. Throws RangeError when the data has not 8 bytes. */
export function encodePing(data: Uint8Array): Uint8Array {
  if (data.length !== PING_LENGTH) throw new RangeError(`data has ${data.length} bytes, not ${PING_LENGTH}`)
  return encodeFrame(FRAME_PING, data)
}

/** Returns the pong frame to a ping's payload, of which the first 8 bytes come back. */
export function encodePong(data: Uint8Array): Uint8Array {
  if (data.length < PING_LENGTH)
    throw new RangeError(`data has ${data.length} bytes, fewer than ${PING_LENGTH}`)
  return encodeFrame(FRAME_PONG, data.subarray(0, PING_LENGTH))
}

/** Reads the payload of a ping or pong frame: its first 8 bytes, a view, or `undefined` when it is shorter. */
export function decodePing(payload: Uint8Array): Uint8Array | undefined {
  return payload.length < PING_LENGTH ? undefined : payload.subarray(0, PING_LENGTH)
}

/** Returns a health frame: the problem in words, or the empty string for "healthy again". */
export function encodeHealth(problem: string): Uint8Array {
  return encodeFrame(FRAME_HEALTH, new TextEncoder().encode(problem))
}

/** Reads the payload of a health frame. Bytes that are no UTF-8 become replacement characters. */
export function decodeHealth(payload: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(payload)
}

/** What a server about to restart asks of its clients, in milliseconds. */
export interface Restarting {
  /** When to connect again. */
  readonly reconnectIn: number
  /** For how long to keep trying. */
  readonly tryFor: number
}

/** Returns a restarting frame. */
export function encodeRestarting(message: Restarting): Uint8Array {
  const payload = new Uint8Array(8)
  writeU32(payload, 0, message.reconnectIn)
  writeU32(payload, 4, message.tryFor)
  return encodeFrame(FRAME_RESTARTING, payload)
}

/** Reads the payload of a restarting frame, or returns `undefined` when it is too short. */
export function decodeRestarting(payload: Uint8Array): Restarting | undefined {
  if (payload.length < 8) return undefined
  return { reconnectIn: readU32(payload, 0), tryFor: readU32(payload, 4) }
}
