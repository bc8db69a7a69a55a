// The four messages of WireGuard (data-plane section 1.1): which one a datagram is, and where its fields lie.
// Lengths are exact for all but transport data; whatever is not one of the four is nothing.
import { readU32le } from '../little-endian.ts'

/** Type of a handshake initiation. */
export const MESSAGE_INITIATION = 1
/** Type of a handshake response. */
export const MESSAGE_RESPONSE = 2
/** Type of a cookie reply. */
export const MESSAGE_COOKIE_REPLY = 3
/** Type of transport data, of which an empty one is a keepalive. */
export const MESSAGE_TRANSPORT = 4

/** One of the four message types. */
export type MessageType =
  | typeof MESSAGE_INITIATION
  | typeof MESSAGE_RESPONSE
  | typeof MESSAGE_COOKIE_REPLY
  | typeof MESSAGE_TRANSPORT

/** Bytes of a handshake initiation, exactly. */
export const INITIATION_LENGTH = 148
/** Bytes of a handshake response, exactly. */
export const RESPONSE_LENGTH = 92
/** Bytes of a cookie reply, exactly. */
export const COOKIE_REPLY_LENGTH = 64
/** Bytes in front of the sealed packet in transport data. */
export const TRANSPORT_HEADER_LENGTH = 16
/** Bytes of the authentication tag that ends every sealed field. */
export const TAG_LENGTH = 16
/** Bytes that transport data adds to its plaintext; also the length of a keepalive, the shortest message. */
export const TRANSPORT_OVERHEAD = 32
/** Where the counter (u64 little-endian) lies in transport data. */
export const TRANSPORT_COUNTER = 8
/** Bytes of each of the two MACs that end initiation and response. */
export const MAC_LENGTH = 16
/** Bytes of the two MACs together: MAC1 covers all before them, MAC2 all before itself. */
export const MACS_LENGTH = 32

/**
 * Returns which of the four messages a datagram is, judged by its first four bytes and its length, or `undefined`.
 */
export function messageType(datagram: Uint8Array): MessageType | undefined {
  if (datagram.length < TRANSPORT_OVERHEAD) return undefined
  switch (readU32le(datagram, 0)) {
    case MESSAGE_INITIATION:
      return datagram.length === INITIATION_LENGTH ? MESSAGE_INITIATION : undefined
    case MESSAGE_RESPONSE:
      return datagram.length === RESPONSE_LENGTH ? MESSAGE_RESPONSE : undefined
    case MESSAGE_COOKIE_REPLY:
      return datagram.length === COOKIE_REPLY_LENGTH ? MESSAGE_COOKIE_REPLY : undefined
    case MESSAGE_TRANSPORT:
      return MESSAGE_TRANSPORT
    default:
      return undefined
  }
}
