// The binding success response: "this is the address and port your packet came from."
import { readU16, writeU16, writeU32 } from '../big-endian.ts'
import { unmapAddress } from '../ip/address.ts'
import type { Endpoint } from '../ip/endpoint.ts'
import {
  BINDING_SUCCESS,
  MAGIC_COOKIE,
  MAPPED_ADDRESS,
  STUN_HEADER_LENGTH,
  type StunAttribute,
  TRANSACTION_ID,
  TRANSACTION_ID_LENGTH,
  XOR_MAPPED_ADDRESS,
  XOR_MAPPED_ADDRESS_ALT,
  isStun,
  readAttributes,
} from './message.ts'

const FAMILY_IPV4 = 1
const FAMILY_IPV6 = 2
const PORT_MASK = MAGIC_COOKIE >>> 16
/** The address is masked with cookie and transaction id: the header from here on. */
const MASK_AT = 4

/**
 * Returns a binding success response: 32 bytes for IPv4, 44 for IPv6. An IPv4-mapped address is answered as IPv4.
 *
 * @throws RangeError when the transaction id has not 12 bytes or the address neither 4 nor 16.
 */
export function encodeBindingResponse(txId: Uint8Array, observed: Endpoint): Uint8Array {
  if (txId.length !== TRANSACTION_ID_LENGTH) throw new RangeError(`txId has ${txId.length} bytes, not 12`)
  const address = unmapAddress(observed.address)
  if (address.length !== 4 && address.length !== 16) {
    throw new RangeError(`address has ${address.length} bytes, not 4 or 16`)
  }
  const valueLength = 4 + address.length
  const message = new Uint8Array(STUN_HEADER_LENGTH + 4 + valueLength)
  writeU16(message, 0, BINDING_SUCCESS)
  writeU16(message, 2, 4 + valueLength)
  writeU32(message, 4, MAGIC_COOKIE)
  message.set(txId, TRANSACTION_ID)
  writeU16(message, 20, XOR_MAPPED_ADDRESS)
  writeU16(message, 22, valueLength)
  message[25] = address.length === 4 ? FAMILY_IPV4 : FAMILY_IPV6
  writeU16(message, 26, observed.port ^ PORT_MASK)
  for (let i = 0; i < address.length; i += 1) message[28 + i] = address[i]! ^ message[MASK_AT + i]!
  return message
}

/** What a STUN server saw. */
export interface BindingResponse {
  /** The transaction id of the request answered, 12 bytes, a view. */
  readonly txId: Uint8Array
  /** Where the request came from, as the server saw it; the address is the reader's own copy. */
  readonly observed: Endpoint
}

/**
 * Reads a binding success response, or returns `undefined`. The masked address counts before the plain one; bytes
 * beyond the message are ignored. Whether the transaction id was ever sent is for the caller to know.
 */
export function decodeBindingResponse(datagram: Uint8Array): BindingResponse | undefined {
  if (!isStun(datagram) || readU16(datagram, 0) !== BINDING_SUCCESS) return undefined
  const attributes = readAttributes(datagram)
  if (!attributes) return undefined
  const masked = attributes.find(({ type }) => type === XOR_MAPPED_ADDRESS || type === XOR_MAPPED_ADDRESS_ALT)
  const observed = masked
    ? readEndpoint(masked, datagram)
    : readEndpoint(attributes.find(({ type }) => type === MAPPED_ADDRESS))
  return observed && { txId: datagram.subarray(TRANSACTION_ID, STUN_HEADER_LENGTH), observed }
}

function readEndpoint(attribute: StunAttribute | undefined, mask?: Uint8Array): Endpoint | undefined {
  if (!attribute || attribute.value.length < 4) return undefined
  const { value } = attribute
  const length = value[1] === FAMILY_IPV4 ? 4 : value[1] === FAMILY_IPV6 ? 16 : 0
  if (length === 0 || value.length < 4 + length) return undefined
  const address = value.slice(4, 4 + length)
  if (mask) for (let i = 0; i < length; i += 1) address[i] = address[i]! ^ mask[MASK_AT + i]!
  return { address: unmapAddress(address), port: readU16(value, 2) ^ (mask ? PORT_MASK : 0) }
}
