// PCP (RFC 6887; data-plane.md section 6.3): NAT-PMP's successor on the same port. Here: ANNOUNCE, to see whether it is
// spoken, and MAP for UDP.
import type { IpAddress } from '@mesh/wire/ip'

/** Bytes of the number that ties a mapping to whoever asked for it. */
export const PCP_NONCE_LENGTH = 12
/** Success. */
export const PCP_RESULT_OK = 0

/** Byte offsets common to requests and answers. */
const VERSION = 0
const OPCODE = 1
const RESULT = 3
const LIFETIME = 4
const CLIENT_ADDRESS = 8
const EPOCH = 8
const HEADER_LENGTH = 24

/** Byte offsets of MAP, in requests and answers. */
const NONCE = 24
const PROTOCOL = 36
const INTERNAL_PORT = 40
const EXTERNAL_PORT = 42
const EXTERNAL_ADDRESS = 44
const MAP_LENGTH = 60

const PCP_VERSION = 2
const ANNOUNCE = 0
const MAP = 1
const RESPONSE_BIT = 0x80
const UDP = 17
/** The first twelve bytes of an IPv4 address written as IPv6. */
const V4_MAPPED = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)

/** What a MAP request asks for. */
export interface PcpMapRequest {
  /** Our own IPv4 address, as the gateway must see it. */
  readonly client: IpAddress
  /** {@link PCP_NONCE_LENGTH} random bytes, the same for the life of the mapping. */
  readonly nonce: Uint8Array
  /** Our port. */
  readonly internalPort: number
  /** The outside port that would be liked; 0 for any. */
  readonly externalPort: number
  /** The outside IPv4 address that would be liked; all zero for any. */
  readonly externalAddress: IpAddress
  /** Seconds; 0 takes the mapping back. */
  readonly lifetime: number
}

/** What a gateway answers. `result` 0 is success; `epoch` and `lifetime` are seconds. */
export type PcpResponse =
  | { readonly kind: 'announce'; readonly result: number; readonly epoch: number }
  | {
      readonly kind: 'map'
      readonly result: number
      readonly epoch: number
      readonly lifetime: number
      readonly nonce: Uint8Array
      readonly internalPort: number
      readonly externalPort: number
      readonly externalAddress: IpAddress | undefined
    }

/** Returns the request that asks whether PCP is spoken. */
export function encodePcpAnnounce(client: IpAddress): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH)
  bytes[VERSION] = PCP_VERSION
  bytes[OPCODE] = ANNOUNCE
  setAddress(bytes, CLIENT_ADDRESS, client)
  return bytes
}

/** Returns the request to map a UDP port. */
export function encodePcpMapRequest(request: PcpMapRequest): Uint8Array {
  const bytes = new Uint8Array(MAP_LENGTH)
  const view = new DataView(bytes.buffer)
  bytes[VERSION] = PCP_VERSION
  bytes[OPCODE] = MAP
  view.setUint32(LIFETIME, request.lifetime)
  setAddress(bytes, CLIENT_ADDRESS, request.client)
  bytes.set(request.nonce.subarray(0, PCP_NONCE_LENGTH), NONCE)
  bytes[PROTOCOL] = UDP
  view.setUint16(INTERNAL_PORT, request.internalPort)
  view.setUint16(EXTERNAL_PORT, request.externalPort)
  setAddress(bytes, EXTERNAL_ADDRESS, request.externalAddress)
  return bytes
}

/** Reads an answer, or returns `undefined` for what is none. */
export function decodePcpResponse(bytes: Uint8Array): PcpResponse | undefined {
  if (bytes.length < HEADER_LENGTH || bytes[VERSION] !== PCP_VERSION) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const result = bytes[RESULT] ?? 0
  const epoch = view.getUint32(EPOCH)
  if (bytes[OPCODE] === (ANNOUNCE | RESPONSE_BIT)) return { kind: 'announce', result, epoch }
  if (bytes[OPCODE] !== (MAP | RESPONSE_BIT) || bytes.length < MAP_LENGTH) return undefined
  if (bytes[PROTOCOL] !== UDP) return undefined
  return {
    kind: 'map',
    result,
    epoch,
    lifetime: view.getUint32(LIFETIME),
    nonce: bytes.slice(NONCE, NONCE + PCP_NONCE_LENGTH),
    internalPort: view.getUint16(INTERNAL_PORT),
    externalPort: view.getUint16(EXTERNAL_PORT),
    externalAddress: v4At(bytes, EXTERNAL_ADDRESS),
  }
}

function setAddress(bytes: Uint8Array, at: number, address: IpAddress): void {
  bytes.set(V4_MAPPED, at)
  bytes.set(address, at + V4_MAPPED.length)
}

function v4At(bytes: Uint8Array, at: number): IpAddress | undefined {
  const isV4 = V4_MAPPED.every((byte, index) => bytes[at + index] === byte)
  return isV4 ? bytes.slice(at + V4_MAPPED.length, at + V4_MAPPED.length + 4) : undefined
}
