// The binding request: "what do I look like from where you are?"
import { readU16, readU32, writeU16, writeU32 } from '../big-endian.ts'
import { crc32 } from './crc32.ts'
import {
  BINDING_REQUEST,
  FINGERPRINT,
  FINGERPRINT_XOR,
  MAGIC_COOKIE,
  SOFTWARE,
  STUN_HEADER_LENGTH,
  TRANSACTION_ID,
  TRANSACTION_ID_LENGTH,
  isStun,
  readAttributes,
} from './message.ts'

/** The software name by which a relay's STUN answerer knows its own kind: ASCII `tailnode`. */
const SOFTWARE_NAME = Uint8Array.of(0x74, 0x61, 0x69, 0x6c, 0x6e, 0x6f, 0x64, 0x65)

const REQUEST_LENGTH = 40
const SOFTWARE_AT = 20
const FINGERPRINT_AT = 32

/**
 * Returns a binding request of 40 bytes, with software name and fingerprint.
 *
 * @throws RangeError when the transaction id has not 12 bytes.
 */
export function encodeBindingRequest(txId: Uint8Array): Uint8Array {
  if (txId.length !== TRANSACTION_ID_LENGTH) throw new RangeError(`txId has ${txId.length} bytes, not 12`)
  const message = new Uint8Array(REQUEST_LENGTH)
  writeU16(message, 0, BINDING_REQUEST)
  writeU16(message, 2, REQUEST_LENGTH - STUN_HEADER_LENGTH)
  writeU32(message, 4, MAGIC_COOKIE)
  message.set(txId, TRANSACTION_ID)
  writeU16(message, SOFTWARE_AT, SOFTWARE)
  writeU16(message, SOFTWARE_AT + 2, SOFTWARE_NAME.length)
  message.set(SOFTWARE_NAME, SOFTWARE_AT + 4)
  writeU16(message, FINGERPRINT_AT, FINGERPRINT)
  writeU16(message, FINGERPRINT_AT + 2, 4)
  writeU32(message, FINGERPRINT_AT + 4, crc32(message, FINGERPRINT_AT) ^ FINGERPRINT_XOR)
  return message
}

/** A binding request that deserves an answer. */
export interface BindingRequest {
  /** The transaction id, 12 bytes, a view. */
  readonly txId: Uint8Array
}

/**
 * Reads a binding request as a relay accepts it, or returns `undefined`: the software must be the mesh's own and
 * the last attribute a right fingerprint, so that a stranger's STUN client gets no answer (checklist S18).
 */
export function decodeBindingRequest(datagram: Uint8Array): BindingRequest | undefined {
  if (!isStun(datagram) || readU16(datagram, 0) !== BINDING_REQUEST) return undefined
  const attributes = readAttributes(datagram)
  const last = attributes?.at(-1)
  if (!attributes || last?.type !== FINGERPRINT || last.value.length !== 4) return undefined
  if ((crc32(datagram, last.offset) ^ FINGERPRINT_XOR) >>> 0 !== readU32(last.value, 0)) return undefined
  const isOwn = attributes.some(({ type, value }) => type === SOFTWARE && isSoftwareName(value))
  return isOwn ? { txId: datagram.subarray(TRANSACTION_ID, STUN_HEADER_LENGTH) } : undefined
}

function isSoftwareName(value: Uint8Array): boolean {
  return value.length === SOFTWARE_NAME.length && SOFTWARE_NAME.every((byte, i) => byte === value[i])
}
