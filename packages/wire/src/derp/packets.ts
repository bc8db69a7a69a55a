// The frames that carry packets (data-plane section 2.5): to somebody, from somebody, and between relays.
import {
  FRAME_FORWARD_PACKET,
  FRAME_HEADER_LENGTH,
  FRAME_RECV_PACKET,
  FRAME_SEND_PACKET,
  encodeFrame,
  writeFrameHeader,
} from './frame.ts'

const KEY_LENGTH = 32

/** A packet for somebody; the fields of a decoded one are views. */
export interface SendPacket {
  /** Node public key of the receiver, 32 bytes. */
  readonly destination: Uint8Array
  /** The packet, at most 65536 bytes. */
  readonly packet: Uint8Array
}

/** A packet from somebody; the fields of a decoded one are views. */
export interface RecvPacket {
  /** Node public key of the sender, 32 bytes: vouched for by the relay alone. */
  readonly source: Uint8Array
  /** The packet. */
  readonly packet: Uint8Array
}

/** A packet between relays of one region; the fields of a decoded one are views. */
export interface ForwardPacket extends SendPacket, RecvPacket {}

/** Returns a send-packet frame. Throws RangeError when the key has not 32 bytes. */
export function encodeSendPacket(message: SendPacket): Uint8Array {
  requireKey(message.destination, 'destination')
  return encodeFrame(FRAME_SEND_PACKET, message.destination, message.packet)
}

/** Reads the payload of a send-packet frame, or returns `undefined` when it is too short. */
export function decodeSendPacket(payload: Uint8Array): SendPacket | undefined {
  if (payload.length < KEY_LENGTH) return undefined
  return { destination: payload.subarray(0, KEY_LENGTH), packet: payload.subarray(KEY_LENGTH) }
}

/** Returns a receive-packet frame. Throws RangeError when the key has not 32 bytes. */
export function encodeRecvPacket(message: RecvPacket): Uint8Array {
  requireKey(message.source, 'source')
  return encodeFrame(FRAME_RECV_PACKET, message.source, message.packet)
}

/**
 * Returns the 37 bytes that stand before a packet in a receive-packet frame: for a relay that writes the packet
 * itself from where it lies.
 */
export function encodeRecvPacketHeader(source: Uint8Array, packetLength: number): Uint8Array {
  requireKey(source, 'source')
  const header = new Uint8Array(FRAME_HEADER_LENGTH + KEY_LENGTH)
  writeFrameHeader(header, 0, FRAME_RECV_PACKET, KEY_LENGTH + packetLength)
  header.set(source, FRAME_HEADER_LENGTH)
  return header
}

/** Reads the payload of a receive-packet frame, or returns `undefined` when it is too short. */
export function decodeRecvPacket(payload: Uint8Array): RecvPacket | undefined {
  if (payload.length < KEY_LENGTH) return undefined
  return { source: payload.subarray(0, KEY_LENGTH), packet: payload.subarray(KEY_LENGTH) }
}

/** Returns a forward-packet frame. Throws RangeError when a key has not 32 bytes. */
export function encodeForwardPacket(message: ForwardPacket): Uint8Array {
  requireKey(message.source, 'source')
  requireKey(message.destination, 'destination')
  return encodeFrame(FRAME_FORWARD_PACKET, message.source, message.destination, message.packet)
}

/** Reads the payload of a forward-packet frame, or returns `undefined` when it is too short. */
export function decodeForwardPacket(payload: Uint8Array): ForwardPacket | undefined {
  if (payload.length < 2 * KEY_LENGTH) return undefined
  return {
    source: payload.subarray(0, KEY_LENGTH),
    destination: payload.subarray(KEY_LENGTH, 2 * KEY_LENGTH),
    packet: payload.subarray(2 * KEY_LENGTH),
  }
}

function requireKey(key: Uint8Array, name: string): void {
  if (key.length !== KEY_LENGTH) throw new RangeError(`${name} has ${key.length} bytes, not ${KEY_LENGTH}`)
}
