// The eight bytes in front of what goes through a UDP relay (data-plane section 5.11, RFC 8926 without options).
import { readU16, readU24, writeU16, writeU24 } from '../big-endian.ts'

/** Bytes of a Geneve header. */
export const GENEVE_HEADER_LENGTH = 8
/** Protocol number of disco inside Geneve. */
export const GENEVE_DISCO = 0x7a11
/** Protocol number of WireGuard inside Geneve. */
export const GENEVE_WIREGUARD = 0x7a12

const FLAGS = 1
const PROTOCOL = 2
const VNI = 4
const RESERVED = 7
const CONTROL = 0x80

/** A Geneve header. */
export interface GeneveHeader {
  /** {@link GENEVE_DISCO} or {@link GENEVE_WIREGUARD}. */
  readonly protocol: number
  /** True between client and relay, false between the two clients. */
  readonly control: boolean
  /** Number of the allocation on the relay, 24 bits. */
  readonly vni: number
}

/** A datagram through a UDP relay; `payload` is a view. */
export interface GenevePacket extends GeneveHeader {
  /** What the header is in front of. */
  readonly payload: Uint8Array
}

/**
 * Tells whether a datagram starts with a Geneve header of a relay: version 0, reserved bits zero, one of the two
 * protocols. The length of options is not looked at, as no relay sends any.
 */
export function isGeneve(datagram: Uint8Array): boolean {
  if (datagram.length < GENEVE_HEADER_LENGTH) return false
  if ((datagram[0]! & 0xc0) !== 0 || (datagram[FLAGS]! & 0x3f) !== 0 || datagram[RESERVED] !== 0) return false
  const protocol = readU16(datagram, PROTOCOL)
  return protocol === GENEVE_DISCO || protocol === GENEVE_WIREGUARD
}

/** Reads a datagram through a UDP relay, or returns `undefined` when it is none. `payload` views `datagram`. */
export function decodeGeneve(datagram: Uint8Array): GenevePacket | undefined {
  if (!isGeneve(datagram)) return undefined
  return {
    protocol: readU16(datagram, PROTOCOL),
    control: (datagram[FLAGS]! & CONTROL) !== 0,
    vni: readU24(datagram, VNI),
    payload: datagram.subarray(GENEVE_HEADER_LENGTH),
  }
}

/** Writes a header to the first 8 bytes of `into` and returns `into`. */
export function encodeGeneveHeader(
  header: GeneveHeader,
  into: Uint8Array = new Uint8Array(GENEVE_HEADER_LENGTH),
): Uint8Array {
  into[0] = 0
  into[FLAGS] = header.control ? CONTROL : 0
  writeU16(into, PROTOCOL, header.protocol)
  writeU24(into, VNI, header.vni)
  into[RESERVED] = 0
  return into
}

/** Returns a datagram of header and payload, the payload copied. */
export function encodeGeneve(packet: GenevePacket): Uint8Array {
  const datagram = new Uint8Array(GENEVE_HEADER_LENGTH + packet.payload.length)
  encodeGeneveHeader(packet, datagram)
  datagram.set(packet.payload, GENEVE_HEADER_LENGTH)
  return datagram
}

/** Returns the number of the allocation in a header that {@link isGeneve} has accepted. */
export function geneveVni(datagram: Uint8Array): number {
  return readU24(datagram, VNI)
}

/** Tells whether a header that {@link isGeneve} has accepted bears the control bit. */
export function isGeneveControl(datagram: Uint8Array): boolean {
  return (datagram[FLAGS]! & CONTROL) !== 0
}
