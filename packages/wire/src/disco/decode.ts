// Reading what was in the box: type, version, body. The sender is known by then, but not trusted to be sane.
import { readU32 } from '../big-endian.ts'
import { ENDPOINT_LENGTH, readEndpoint, readEndpoints } from './endpoints.ts'
import {
  type AllocateRequest,
  type AllocateResponse,
  type CallMeMaybe,
  DISCO_TYPES,
  type DiscoMessage,
  type DoorsOffer,
  type Ping,
  type Pong,
  type RelayHandshake,
  TX_ID_LENGTH,
} from './messages.ts'
import { decodeRelayEndpoint } from './relay-endpoint.ts'

const HEADER_LENGTH = 2
const KEY_LENGTH = 32

/**
 * Reads the plaintext of a disco packet, or returns `undefined` when it is unknown or cut short. Fields view
 * `plaintext`; bytes beyond the message are ignored.
 */
export function decodeDisco(plaintext: Uint8Array): DiscoMessage | undefined {
  if (plaintext.length < HEADER_LENGTH) return undefined
  const version = plaintext[1]!
  const body = plaintext.subarray(HEADER_LENGTH)
  switch (plaintext[0]) {
    case DISCO_TYPES.ping:
      return decodePing(body)
    case DISCO_TYPES.pong:
      return decodePong(body)
    case DISCO_TYPES['call-me-maybe']:
      return decodeCallMeMaybe(version, body)
    case DISCO_TYPES['relay-bind']:
      return withKind('relay-bind', decodeHandshake(body))
    case DISCO_TYPES['relay-challenge']:
      return withKind('relay-challenge', decodeHandshake(body))
    case DISCO_TYPES['relay-answer']:
      return withKind('relay-answer', decodeHandshake(body))
    case DISCO_TYPES['call-me-maybe-via']:
      return version === 0 ? withKind('call-me-maybe-via', decodeRelayEndpoint(body)) : undefined
    case DISCO_TYPES['allocate-request']:
      return version === 0 ? decodeAllocateRequest(body) : undefined
    case DISCO_TYPES['allocate-response']:
      return version === 0 ? decodeAllocateResponse(body) : undefined
    case DISCO_TYPES['doors-offer']:
      return version === 0 ? decodeDoorsOffer(body) : undefined
    case DISCO_TYPES['doors-accept']:
      return version === 0 && body.length >= ENDPOINT_LENGTH
        ? { kind: 'doors-accept', endpoint: readEndpoint(body, 0) }
        : undefined
    default:
      return undefined
  }
}

/** The number of doors stands where an endpoint has its port. */
function decodeDoorsOffer(body: Uint8Array): DoorsOffer | undefined {
  if (body.length < ENDPOINT_LENGTH) return undefined
  const { address, port } = readEndpoint(body, 0)
  return { kind: 'doors-offer', address, doors: port }
}

function withKind<K extends string, T extends object>(
  kind: K,
  fields: T | undefined,
): ({ kind: K } & T) | undefined {
  return fields && { kind, ...fields }
}

function decodePing(body: Uint8Array): Ping | undefined {
  if (body.length < TX_ID_LENGTH) return undefined
  const txId = body.subarray(0, TX_ID_LENGTH)
  const keyEnd = TX_ID_LENGTH + KEY_LENGTH
  if (body.length < keyEnd) return { kind: 'ping', txId, padding: body.length - TX_ID_LENGTH }
  return { kind: 'ping', txId, nodeKey: body.subarray(TX_ID_LENGTH, keyEnd), padding: body.length - keyEnd }
}

function decodePong(body: Uint8Array): Pong | undefined {
  if (body.length < TX_ID_LENGTH + ENDPOINT_LENGTH) return undefined
  return { kind: 'pong', txId: body.subarray(0, TX_ID_LENGTH), source: readEndpoint(body, TX_ID_LENGTH) }
}

/** A list that is not understood is an empty list: the message still says "call me". */
function decodeCallMeMaybe(version: number, body: Uint8Array): CallMeMaybe {
  const understood = version === 0 && body.length % ENDPOINT_LENGTH === 0
  return { kind: 'call-me-maybe', endpoints: understood ? readEndpoints(body, 0) : [] }
}

const GENERATION = 4
const REMOTE_DISCO = 8
const CHALLENGE = 40
const HANDSHAKE_LENGTH = 72

function decodeHandshake(body: Uint8Array): RelayHandshake | undefined {
  if (body.length < HANDSHAKE_LENGTH) return undefined
  return {
    vni: readU32(body, 0),
    generation: readU32(body, GENERATION),
    remoteDisco: body.subarray(REMOTE_DISCO, CHALLENGE),
    challenge: body.subarray(CHALLENGE, HANDSHAKE_LENGTH),
  }
}

function decodeAllocateRequest(body: Uint8Array): AllocateRequest | undefined {
  if (body.length < 2 * KEY_LENGTH + 4) return undefined
  return {
    kind: 'allocate-request',
    clientDisco: [body.subarray(0, KEY_LENGTH), body.subarray(KEY_LENGTH, 2 * KEY_LENGTH)],
    generation: readU32(body, 2 * KEY_LENGTH),
  }
}

function decodeAllocateResponse(body: Uint8Array): AllocateResponse | undefined {
  if (body.length < 4) return undefined
  const allocation = decodeRelayEndpoint(body.subarray(4))
  return allocation && { kind: 'allocate-response', generation: readU32(body, 0), ...allocation }
}
