// TSMP (data-plane section 7.6): what one node's daemon tells another's inside the tunnel, as IP protocol 99.
import { readU16, writeU16 } from '../big-endian.ts'

/** "Your connection was refused", so that it fails at once instead of timing out. */
export interface TsmpRejected {
  readonly kind: 'rejected'
  /** IP protocol of the flow refused. */
  readonly protocol: number
  /** Why: one of {@link TSMP_REASONS}, or a letter not known here. */
  readonly reason: string
  /** Source port of the flow refused, on the originator's side. */
  readonly sourcePort: number
  /** Destination port of the flow refused. */
  readonly destinationPort: number
  /** True when the refusing side may itself be at fault. */
  readonly maybeBroken: boolean
}

/** "Does the tunnel work?" */
export interface TsmpPing {
  readonly kind: 'ping'
  /** 8 bytes that come back. */
  readonly data: Uint8Array
}

/** "It does." */
export interface TsmpPong {
  readonly kind: 'pong'
  /** The 8 bytes of the ping. */
  readonly data: Uint8Array
  /** Where the sender's peer API listens; 0 when not known. */
  readonly peerApiPort: number
}

/** "This is my disco key now", sent when a WireGuard session starts. */
export interface TsmpDiscoKey {
  readonly kind: 'disco-key'
  /** The disco public key, 32 bytes. */
  readonly discoKey: Uint8Array
}

/** Any TSMP message. The byte fields of a decoded one are views. */
export type TsmpMessage = TsmpRejected | TsmpPing | TsmpPong | TsmpDiscoKey

/** The reasons of a refusal by their letter. */
export const TSMP_REASONS = {
  /** The access rules do not allow it. */
  acl: 'A',
  /** The node takes no connections at all. */
  shieldsUp: 'S',
  /** The node should forward, but its IP forwarding is off. */
  forwardingOff: 'F',
  /** The host's own firewall stands in the way. */
  hostFirewall: 'W',
  /** The address is not known to the app connector. */
  unknownTransitIp: 'T',
} as const

const REJECTED = 0x21
const PING = 0x70
const PONG = 0x6f
const DISCO_KEY = 0x61

const REJECTED_LENGTH = 7
const DATA_LENGTH = 8
const KEY_LENGTH = 32
const MAYBE_BROKEN = 0x01

/** Reads a TSMP message (the payload of an IP packet), or returns `undefined`. Byte fields view `body`. */
export function decodeTsmp(body: Uint8Array): TsmpMessage | undefined {
  switch (body[0]) {
    case REJECTED:
      return decodeRejected(body)
    case PING:
      if (body.length < 1 + DATA_LENGTH) return undefined
      return { kind: 'ping', data: body.subarray(1, 1 + DATA_LENGTH) }
    case PONG:
      if (body.length < 1 + DATA_LENGTH + 2) return undefined
      return {
        kind: 'pong',
        data: body.subarray(1, 1 + DATA_LENGTH),
        peerApiPort: readU16(body, 1 + DATA_LENGTH),
      }
    case DISCO_KEY:
      if (body.length < 1 + KEY_LENGTH) return undefined
      return { kind: 'disco-key', discoKey: body.subarray(1, 1 + KEY_LENGTH) }
    default:
      return undefined
  }
}

function decodeRejected(body: Uint8Array): TsmpRejected | undefined {
  if (body.length < REJECTED_LENGTH) return undefined
  return {
    kind: 'rejected',
    protocol: body[1]!,
    reason: String.fromCharCode(body[2]!),
    sourcePort: readU16(body, 3),
    destinationPort: readU16(body, 5),
    maybeBroken: body.length > REJECTED_LENGTH && (body[REJECTED_LENGTH]! & MAYBE_BROKEN) !== 0,
  }
}

/**
 * Returns a TSMP message, to be the payload of an IP packet of protocol 99.
 *
 * @throws RangeError when a byte field has the wrong length or the reason is not one Latin-1 letter.
 */
export function encodeTsmp(message: TsmpMessage): Uint8Array {
  switch (message.kind) {
    case 'rejected':
      return encodeRejected(message)
    case 'ping':
      return withField(PING, message.data, DATA_LENGTH, 'data', 0)
    case 'pong': {
      const body = withField(PONG, message.data, DATA_LENGTH, 'data', 2)
      writeU16(body, 1 + DATA_LENGTH, message.peerApiPort)
      return body
    }
    case 'disco-key':
      return withField(DISCO_KEY, message.discoKey, KEY_LENGTH, 'discoKey', 0)
  }
}

function encodeRejected(message: TsmpRejected): Uint8Array {
  const reason = message.reason.charCodeAt(0)
  if (message.reason.length !== 1 || reason > 0xff) throw new RangeError('reason must be one Latin-1 letter')
  const body = new Uint8Array(REJECTED_LENGTH + 1)
  body[0] = REJECTED
  body[1] = message.protocol
  body[2] = reason
  writeU16(body, 3, message.sourcePort)
  writeU16(body, 5, message.destinationPort)
  body[REJECTED_LENGTH] = message.maybeBroken ? MAYBE_BROKEN : 0
  return body
}

function withField(type: number, field: Uint8Array, length: number, name: string, more: number): Uint8Array {
  if (field.length !== length) throw new RangeError(`${name} has ${field.length} bytes, not ${length}`)
  const body = new Uint8Array(1 + length + more)
  body[0] = type
  body.set(field, 1)
  return body
}
