// Endpoints as disco carries them: sixteen bytes of address, IPv4 as ::ffff:a.b.c.d, and the port.
import { readU16, writeU16 } from '../big-endian.ts'
import { unmapAddress, writeMappedAddress } from '../ip/address.ts'
import type { Endpoint } from '../ip/endpoint.ts'

/** Bytes of one endpoint. */
export const ENDPOINT_LENGTH = 18

const PORT = 16

/** Reads the endpoint at `at`; the caller has checked the length. The address is a view. */
export function readEndpoint(bytes: Uint8Array, at: number): Endpoint {
  return { address: unmapAddress(bytes.subarray(at, at + PORT)), port: readU16(bytes, at + PORT) }
}

/** Reads endpoints from `start` to the end, which must be whole ones. The addresses are views. */
export function readEndpoints(bytes: Uint8Array, start: number): Endpoint[] {
  const endpoints: Endpoint[] = []
  for (let at = start; at < bytes.length; at += ENDPOINT_LENGTH) endpoints.push(readEndpoint(bytes, at))
  return endpoints
}

/** Writes endpoints one behind the other from `start` on. */
export function writeEndpoints(into: Uint8Array, start: number, endpoints: readonly Endpoint[]): void {
  let at = start
  for (const { address, port } of endpoints) {
    writeMappedAddress(into, at, address)
    writeU16(into, at + PORT, port)
    at += ENDPOINT_LENGTH
  }
}
