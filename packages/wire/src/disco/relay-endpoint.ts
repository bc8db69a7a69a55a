// An allocation on a UDP relay as two messages carry it (data-plane section 4.2, "endpoint struct"): 124 bytes
// and the endpoints behind them. Lifetimes travel as nanoseconds.
import { readU32, readU64, writeU32, writeU64 } from '../big-endian.ts'
import { ENDPOINT_LENGTH, readEndpoints, writeEndpoints } from './endpoints.ts'
import type { RelayEndpoint } from './messages.ts'
import { putKey } from './put-key.ts'

const SERVER_DISCO = 0
const CLIENT_DISCO_A = 32
const CLIENT_DISCO_B = 64
const LAMPORT_ID = 96
const VNI = 104
const BIND_LIFETIME = 108
const STEADY_STATE_LIFETIME = 116
const FIXED_LENGTH = 124

const NANOSECONDS = 1e6

/** Reads an allocation, or returns `undefined` when it is cut short, ragged, or names no endpoint. Fields are views. */
export function decodeRelayEndpoint(body: Uint8Array): RelayEndpoint | undefined {
  const listed = body.length - FIXED_LENGTH
  if (listed < ENDPOINT_LENGTH || listed % ENDPOINT_LENGTH !== 0) return undefined
  return {
    serverDisco: body.subarray(SERVER_DISCO, CLIENT_DISCO_A),
    clientDisco: [body.subarray(CLIENT_DISCO_A, CLIENT_DISCO_B), body.subarray(CLIENT_DISCO_B, LAMPORT_ID)],
    lamportId: readU64(body, LAMPORT_ID),
    vni: readU32(body, VNI),
    bindLifetime: Number(readU64(body, BIND_LIFETIME)) / NANOSECONDS,
    steadyStateLifetime: Number(readU64(body, STEADY_STATE_LIFETIME)) / NANOSECONDS,
    endpoints: readEndpoints(body, FIXED_LENGTH),
  }
}

/** Returns how many bytes an allocation takes. */
export function relayEndpointLength(allocation: RelayEndpoint): number {
  return FIXED_LENGTH + allocation.endpoints.length * ENDPOINT_LENGTH
}

/** Writes an allocation at `at`. */
export function writeRelayEndpoint(into: Uint8Array, at: number, allocation: RelayEndpoint): void {
  if (allocation.endpoints.length === 0) throw new RangeError('endpoints must name at least one')
  putKey(into, at + SERVER_DISCO, allocation.serverDisco, 'serverDisco')
  putKey(into, at + CLIENT_DISCO_A, allocation.clientDisco[0], 'clientDisco')
  putKey(into, at + CLIENT_DISCO_B, allocation.clientDisco[1], 'clientDisco')
  writeU64(into, at + LAMPORT_ID, allocation.lamportId)
  writeU32(into, at + VNI, allocation.vni)
  writeU64(into, at + BIND_LIFETIME, BigInt(Math.round(allocation.bindLifetime * NANOSECONDS)))
  writeU64(into, at + STEADY_STATE_LIFETIME, BigInt(Math.round(allocation.steadyStateLifetime * NANOSECONDS)))
  writeEndpoints(into, at + FIXED_LENGTH, allocation.endpoints)
}
