/**
 * The part of STUN that finds out how a host looks from outside: binding request and response.
 *
 * @packageDocumentation
 */
export { MAGIC_COOKIE, STUN_HEADER_LENGTH, TRANSACTION_ID_LENGTH, isStun } from './message.ts'
export { type BindingRequest, decodeBindingRequest, encodeBindingRequest } from './request.ts'
export { type BindingResponse, decodeBindingResponse, encodeBindingResponse } from './response.ts'
