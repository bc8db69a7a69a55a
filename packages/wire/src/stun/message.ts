// What every STUN message shares (RFC 8489 section 5, data-plane section 3.1): header, cookie, attributes.
import { readU16, readU32 } from '../big-endian.ts'

/** Bytes of a STUN header. */
export const STUN_HEADER_LENGTH = 20
/** The fixed value at offset 4 of every STUN message. */
export const MAGIC_COOKIE = 0x2112a442
/** Bytes of a transaction id, at offset 8. */
export const TRANSACTION_ID_LENGTH = 12
/** Message type of a binding request. */
export const BINDING_REQUEST = 0x0001
/** Message type of a binding success response. */
export const BINDING_SUCCESS = 0x0101

/** The address as seen by the server (RFC 8489 section 14.1). */
export const MAPPED_ADDRESS = 0x0001
/** The same, masked so that no NAT rewrites it (RFC 8489 section 14.2). */
export const XOR_MAPPED_ADDRESS = 0x0020
/** An old number of {@link XOR_MAPPED_ADDRESS} that some servers still use. */
export const XOR_MAPPED_ADDRESS_ALT = 0x8020
/** The name of the sender's software. */
export const SOFTWARE = 0x8022
/** A CRC of all that precedes it, always the last attribute. */
export const FINGERPRINT = 0x8028
/** What the CRC of {@link FINGERPRINT} is masked with. */
export const FINGERPRINT_XOR = 0x5354554e

/** Where the transaction id starts. */
export const TRANSACTION_ID = 8

/**
 * Tells whether a datagram is a STUN message of the binding method: long enough, top two bits zero, cookie in its
 * place, method 1. No WireGuard and no disco message is.
 */
export function isStun(datagram: Uint8Array): boolean {
  return (
    datagram.length >= STUN_HEADER_LENGTH &&
    (datagram[0]! & 0xc0) === 0 &&
    datagram[1] === 0x01 &&
    readU32(datagram, 4) === MAGIC_COOKIE
  )
}

/** One attribute; `value` is a view without padding. */
export interface StunAttribute {
  /** The number of the attribute. */
  readonly type: number
  /** Where the attribute's own header starts in the message. */
  readonly offset: number
  /** The value. */
  readonly value: Uint8Array
}

/**
 * Returns the attributes of a STUN message in order, or `undefined` when one is cut short or the length in the header
 * is more than there is. Bytes beyond that length are ignored.
 */
export function readAttributes(message: Uint8Array): StunAttribute[] | undefined {
  const end = STUN_HEADER_LENGTH + readU16(message, 2)
  if (end > message.length) return undefined
  const attributes: StunAttribute[] = []
  for (let at = STUN_HEADER_LENGTH; at < end; ) {
    if (end - at < 4) return undefined
    const length = readU16(message, at + 2)
    if (length > end - at - 4) return undefined
    attributes.push({
      type: readU16(message, at),
      offset: at,
      value: message.subarray(at + 4, at + 4 + length),
    })
    at += 4 + ((length + 3) & ~3)
  }
  return attributes
}
