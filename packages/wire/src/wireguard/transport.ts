// Transport data (data-plane section 1.1, type 4). The counter is 64 bits wide, wider than a double counts exactly,
// so it travels through the packet path as two halves of 32 bits.
import { readU32le, writeU32le } from '../little-endian.ts'
import { MESSAGE_TRANSPORT, TRANSPORT_COUNTER, TRANSPORT_HEADER_LENGTH, messageType } from './messages.ts'

/** Transport data; `sealed` of a decoded one is a view. */
export interface Transport {
  /** The index by which the receiver knows the session. */
  readonly receiver: number
  /** The low 32 bits of the counter. */
  readonly counterLow: number
  /** The high 32 bits of the counter. */
  readonly counterHigh: number
  /** The sealed packet, tag included: 16 bytes for a keepalive. */
  readonly sealed: Uint8Array
}

const RECEIVER = 4

/** Reads transport data of at least 32 bytes, or returns `undefined`. `sealed` views `datagram`. */
export function decodeTransport(datagram: Uint8Array): Transport | undefined {
  if (messageType(datagram) !== MESSAGE_TRANSPORT) return undefined
  return {
    receiver: readU32le(datagram, RECEIVER),
    counterLow: readU32le(datagram, TRANSPORT_COUNTER),
    counterHigh: readU32le(datagram, TRANSPORT_COUNTER + 4),
    sealed: datagram.subarray(TRANSPORT_HEADER_LENGTH),
  }
}

/** Returns the bytes of transport data, `sealed` copied behind its header. */
export function encodeTransport(message: Transport): Uint8Array {
  const datagram = new Uint8Array(TRANSPORT_HEADER_LENGTH + message.sealed.length)
  writeTransportHeader(datagram, 0, message.receiver, message.counterLow, message.counterHigh)
  datagram.set(message.sealed, TRANSPORT_HEADER_LENGTH)
  return datagram
}

/** Writes the 16 bytes in front of a sealed packet at `at`: for who seals in place. */
export function writeTransportHeader(
  into: Uint8Array,
  at: number,
  receiver: number,
  counterLow: number,
  counterHigh: number,
): void {
  writeU32le(into, at, MESSAGE_TRANSPORT)
  writeU32le(into, at + RECEIVER, receiver)
  writeU32le(into, at + TRANSPORT_COUNTER, counterLow)
  writeU32le(into, at + TRANSPORT_COUNTER + 4, counterHigh)
}
