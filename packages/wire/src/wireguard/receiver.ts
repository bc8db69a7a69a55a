// Finding the session a datagram is for, without decoding it.
import { readU32le } from '../little-endian.ts'
import { MESSAGE_RESPONSE, type MessageType } from './messages.ts'

const COOKIE_AND_TRANSPORT_RECEIVER = 4
const RESPONSE_RECEIVER = 8

/**
 * Returns the receiver index of a response, cookie reply or transport data. Allocates nothing.
 *
 * @param type - What {@link messageType} said; an initiation has no receiver index.
 */
export function receiverIndex(datagram: Uint8Array, type: Exclude<MessageType, 1>): number {
  return readU32le(datagram, type === MESSAGE_RESPONSE ? RESPONSE_RECEIVER : COOKIE_AND_TRANSPORT_RECEIVER)
}
