// The frames about who is there (data-plane sections 2.5 and 2.8).
import { readU16, writeU16 } from '../big-endian.ts'
import { unmapAddress, writeMappedAddress } from '../ip/address.ts'
import type { Endpoint } from '../ip/endpoint.ts'
import {
  FRAME_CLOSE_PEER,
  FRAME_PEER_GONE,
  FRAME_PEER_PRESENT,
  FRAME_WATCH_CONNS,
  encodeFrame,
} from './frame.ts'

/** The peer closed its last connection to this region. */
export const PEER_GONE_DISCONNECTED = 0x00
/** The peer is not known to this relay. */
export const PEER_GONE_NOT_HERE = 0x01

/** Somebody is no longer to be reached here; the key of a decoded one is a view. */
export interface PeerGone {
  /** Node public key, 32 bytes. */
  readonly peer: Uint8Array
  /** {@link PEER_GONE_DISCONNECTED}, {@link PEER_GONE_NOT_HERE}, or one not known here. */
  readonly reason: number
}

/** Somebody is here; the fields of a decoded one are views. */
export interface PeerPresent {
  /** Node public key, 32 bytes. */
  readonly peer: Uint8Array
  /** Where the peer connects from; old servers do not say. */
  readonly endpoint?: Endpoint
  /** What kind of client it is; 0 when not said. */
  readonly flags: number
}

const KEY_LENGTH = 32
const ADDRESS_END = 48
const PORT_END = 50
const PRESENT_LENGTH = 51

/** Returns a peer-gone frame. */
export function encodePeerGone(message: PeerGone): Uint8Array {
  requireKey(message.peer)
  return encodeFrame(FRAME_PEER_GONE, message.peer, Uint8Array.of(message.reason))
}

/** Reads the payload of a peer-gone frame, or returns `undefined` when it is too short. No reason means disconnected. */
export function decodePeerGone(payload: Uint8Array): PeerGone | undefined {
  if (payload.length < KEY_LENGTH) return undefined
  return { peer: payload.subarray(0, KEY_LENGTH), reason: payload[KEY_LENGTH] ?? PEER_GONE_DISCONNECTED }
}

/** Returns a peer-present frame: 51 bytes of payload, or 32 when no endpoint is given. */
export function encodePeerPresent(message: PeerPresent): Uint8Array {
  requireKey(message.peer)
  if (!message.endpoint) return encodeFrame(FRAME_PEER_PRESENT, message.peer)
  const rest = new Uint8Array(PRESENT_LENGTH - KEY_LENGTH)
  writeMappedAddress(rest, 0, message.endpoint.address)
  writeU16(rest, ADDRESS_END - KEY_LENGTH, message.endpoint.port)
  rest[PORT_END - KEY_LENGTH] = message.flags
  return encodeFrame(FRAME_PEER_PRESENT, message.peer, rest)
}

/** Reads the payload of a peer-present frame, or returns `undefined` when it is too short. */
export function decodePeerPresent(payload: Uint8Array): PeerPresent | undefined {
  if (payload.length < KEY_LENGTH) return undefined
  const peer = payload.subarray(0, KEY_LENGTH)
  if (payload.length < PORT_END) return { peer, flags: 0 }
  const address = unmapAddress(payload.subarray(KEY_LENGTH, ADDRESS_END))
  return { peer, endpoint: { address, port: readU16(payload, ADDRESS_END) }, flags: payload[PORT_END] ?? 0 }
}

/** Returns a watch-connections frame. */
export function encodeWatchConns(): Uint8Array {
  return encodeFrame(FRAME_WATCH_CONNS)
}

/** Returns a close-peer frame. */
export function encodeClosePeer(peer: Uint8Array): Uint8Array {
  requireKey(peer)
  return encodeFrame(FRAME_CLOSE_PEER, peer)
}

/** Reads the payload of a close-peer frame: the key, a view, or `undefined` unless it is exactly one key. */
export function decodeClosePeer(payload: Uint8Array): Uint8Array | undefined {
  return payload.length === KEY_LENGTH ? payload : undefined
}

function requireKey(peer: Uint8Array): void {
  if (peer.length !== KEY_LENGTH) throw new RangeError(`peer has ${peer.length} bytes, not ${KEY_LENGTH}`)
}
