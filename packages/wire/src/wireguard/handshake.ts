// Handshake initiation and response (data-plane section 1.1, types 1 and 2).
import { readU32le, writeU32le } from '../little-endian.ts'
import {
  INITIATION_LENGTH,
  MAC_LENGTH,
  MACS_LENGTH,
  MESSAGE_INITIATION,
  MESSAGE_RESPONSE,
  RESPONSE_LENGTH,
  messageType,
} from './messages.ts'

/** The two MACs that end a handshake message; views when decoded. */
export interface Macs {
  /** Keyed by the receiver's static key; always there. */
  readonly mac1: Uint8Array
  /** Keyed by a cookie of the receiver; 16 zero bytes when none is held. */
  readonly mac2: Uint8Array
}

/** A handshake initiation without its MACs; the fields of a decoded one are views. */
export interface Initiation {
  /** The index by which the initiator knows this handshake. */
  readonly sender: number
  /** Ephemeral public key, 32 bytes, in clear. */
  readonly ephemeral: Uint8Array
  /** The initiator's static public key, sealed: 48 bytes. */
  readonly sealedStatic: Uint8Array
  /** TAI64N time stamp, sealed: 28 bytes. */
  readonly sealedTimestamp: Uint8Array
}

/** A handshake response without its MACs; the fields of a decoded one are views. */
export interface Response {
  /** The index by which the responder knows this handshake. */
  readonly sender: number
  /** The sender index of the initiation answered. */
  readonly receiver: number
  /** Ephemeral public key, 32 bytes, in clear. */
  readonly ephemeral: Uint8Array
  /** Nothing, sealed: 16 bytes. */
  readonly sealedEmpty: Uint8Array
}

const SENDER = 4
const INITIATION_EPHEMERAL = 8
const INITIATION_STATIC = 40
const INITIATION_TIMESTAMP = 88
const INITIATION_MACS = 116
const RESPONSE_RECEIVER = 8
const RESPONSE_EPHEMERAL = 12
const RESPONSE_EMPTY = 44
const RESPONSE_MACS = 60

/** Reads a handshake initiation of exactly 148 bytes, or returns `undefined`. Fields view `datagram`. */
export function decodeInitiation(datagram: Uint8Array): (Initiation & Macs) | undefined {
  if (messageType(datagram) !== MESSAGE_INITIATION) return undefined
  return {
    sender: readU32le(datagram, SENDER),
    ephemeral: datagram.subarray(INITIATION_EPHEMERAL, INITIATION_STATIC),
    sealedStatic: datagram.subarray(INITIATION_STATIC, INITIATION_TIMESTAMP),
    sealedTimestamp: datagram.subarray(INITIATION_TIMESTAMP, INITIATION_MACS),
    ...macsOf(datagram),
  }
}

/**
 * Returns the 148 bytes of a handshake initiation. MACs not given are left zero: {@link macsOf} shows where they go.
 *
 * @throws RangeError when a field has the wrong length.
 */
export function encodeInitiation(message: Initiation & Partial<Macs>): Uint8Array {
  const datagram = new Uint8Array(INITIATION_LENGTH)
  datagram[0] = MESSAGE_INITIATION
  writeU32le(datagram, SENDER, message.sender)
  put(datagram, INITIATION_EPHEMERAL, INITIATION_STATIC, message.ephemeral, 'ephemeral')
  put(datagram, INITIATION_STATIC, INITIATION_TIMESTAMP, message.sealedStatic, 'sealedStatic')
  put(datagram, INITIATION_TIMESTAMP, INITIATION_MACS, message.sealedTimestamp, 'sealedTimestamp')
  return putMacs(datagram, message)
}

/** Reads a handshake response of exactly 92 bytes, or returns `undefined`. Fields view `datagram`. */
export function decodeResponse(datagram: Uint8Array): (Response & Macs) | undefined {
  if (messageType(datagram) !== MESSAGE_RESPONSE) return undefined
  return {
    sender: readU32le(datagram, SENDER),
    receiver: readU32le(datagram, RESPONSE_RECEIVER),
    ephemeral: datagram.subarray(RESPONSE_EPHEMERAL, RESPONSE_EMPTY),
    sealedEmpty: datagram.subarray(RESPONSE_EMPTY, RESPONSE_MACS),
    ...macsOf(datagram),
  }
}

/**
 * Returns the 92 bytes of a handshake response. MACs not given are left zero: {@link macsOf} shows where they go.
 *
 * @throws RangeError when a field has the wrong length.
 */
export function encodeResponse(message: Response & Partial<Macs>): Uint8Array {
  const datagram = new Uint8Array(RESPONSE_LENGTH)
  datagram[0] = MESSAGE_RESPONSE
  writeU32le(datagram, SENDER, message.sender)
  writeU32le(datagram, RESPONSE_RECEIVER, message.receiver)
  put(datagram, RESPONSE_EPHEMERAL, RESPONSE_EMPTY, message.ephemeral, 'ephemeral')
  put(datagram, RESPONSE_EMPTY, RESPONSE_MACS, message.sealedEmpty, 'sealedEmpty')
  return putMacs(datagram, message)
}

/** Returns views of the two MACs that end an initiation or a response, to check or to fill. */
export function macsOf(handshake: Uint8Array): Macs {
  const start = handshake.length - MACS_LENGTH
  return {
    mac1: handshake.subarray(start, start + MAC_LENGTH),
    mac2: handshake.subarray(start + MAC_LENGTH),
  }
}

function putMacs(datagram: Uint8Array, macs: Partial<Macs>): Uint8Array {
  const start = datagram.length - MACS_LENGTH
  if (macs.mac1) put(datagram, start, start + MAC_LENGTH, macs.mac1, 'mac1')
  if (macs.mac2) put(datagram, start + MAC_LENGTH, datagram.length, macs.mac2, 'mac2')
  return datagram
}

function put(into: Uint8Array, start: number, end: number, field: Uint8Array, name: string): void {
  if (field.length !== end - start)
    throw new RangeError(`${name} has ${field.length} bytes, not ${end - start}`)
  into.set(field, start)
}
