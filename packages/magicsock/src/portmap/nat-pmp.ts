// NAT-PMP (RFC 6886; data-plane.md section 6.3): two requests of a few bytes, and their answers.
import type { IpAddress } from '@mesh/wire/ip'

/** UDP port of a gateway that speaks NAT-PMP or PCP. */
export const NAT_PMP_PORT = 5351

/** Byte offsets of a map request: version, opcode, 2 reserved, then these. */
const INTERNAL_PORT = 4
const EXTERNAL_PORT = 6
const LIFETIME = 8
const MAP_REQUEST_LENGTH = 12

/** Byte offsets of an answer: version, opcode with the top bit set, result, epoch, then what was asked for. */
const OPCODE = 1
const RESULT = 2
const EPOCH = 4
const ADDRESS = 8
const ADDRESS_RESPONSE_LENGTH = 12
const MAPPED_INTERNAL_PORT = 8
const MAPPED_EXTERNAL_PORT = 10
const MAPPED_LIFETIME = 12
const MAP_RESPONSE_LENGTH = 16

const ADDRESS_ANSWER = 0x80
const MAP_UDP = 1
const MAP_UDP_ANSWER = 0x81

/** What a gateway answers. `result` 0 is success; `epoch` and `lifetime` are seconds. */
export type PmpResponse =
  | {
      readonly kind: 'address'
      readonly result: number
      readonly epoch: number
      readonly address: IpAddress
    }
  | {
      readonly kind: 'map'
      readonly result: number
      readonly epoch: number
      readonly internalPort: number
      readonly externalPort: number
      readonly lifetime: number
    }

/** Returns the request for the gateway's outside address. */
export function encodePmpAddressRequest(): Uint8Array {
  return new Uint8Array(2)
}

/** Returns the request to map a UDP port for `lifetime` seconds; 0 takes the mapping back. */
export function encodePmpMapRequest(
  internalPort: number,
  externalPort: number,
  lifetime: number,
): Uint8Array {
  const bytes = new Uint8Array(MAP_REQUEST_LENGTH)
  const view = new DataView(bytes.buffer)
  bytes[OPCODE] = MAP_UDP
  view.setUint16(INTERNAL_PORT, internalPort)
  view.setUint16(EXTERNAL_PORT, externalPort)
  view.setUint32(LIFETIME, lifetime)
  return bytes
}

/** Reads an answer, or returns `undefined` for what is none. An answer that says no may be cut short. */
export function decodePmpResponse(bytes: Uint8Array): PmpResponse | undefined {
  if (bytes.length < ADDRESS || bytes[0] !== 0) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const result = view.getUint16(RESULT)
  const epoch = view.getUint32(EPOCH)
  if (bytes[OPCODE] === ADDRESS_ANSWER) {
    if (bytes.length < ADDRESS_RESPONSE_LENGTH && result === 0) return undefined
    const address = result === 0 ? bytes.slice(ADDRESS, ADDRESS_RESPONSE_LENGTH) : new Uint8Array(4)
    return { kind: 'address', result, epoch, address }
  }
  if (bytes[OPCODE] !== MAP_UDP_ANSWER || bytes.length < MAP_RESPONSE_LENGTH) return undefined
  const internalPort = view.getUint16(MAPPED_INTERNAL_PORT)
  const externalPort = view.getUint16(MAPPED_EXTERNAL_PORT)
  return { kind: 'map', result, epoch, internalPort, externalPort, lifetime: view.getUint32(MAPPED_LIFETIME) }
}
