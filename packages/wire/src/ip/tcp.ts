// TCP segments (RFC 9293) and the options that a stack of today speaks.
import { readU16, readU32, writeU16, writeU32 } from '../big-endian.ts'
import { internetChecksum, pseudoHeaderSum } from './checksum.ts'
import type { Endpoint } from './endpoint.ts'
import { ipHeaderLength, startPacket } from './header.ts'
import { PROTOCOL_TCP } from './protocol.ts'

/** Bytes of a TCP header without options. */
export const TCP_HEADER_LENGTH = 20
/** The sender has no more data. */
export const TCP_FIN = 0x01
/** The sender opens the connection. */
export const TCP_SYN = 0x02
/** There is no such connection, or no longer. */
export const TCP_RST = 0x04
/** Hand the data on at once. */
export const TCP_PSH = 0x08
/** The acknowledgment number counts. */
export const TCP_ACK = 0x10
/** The urgent pointer counts. */
export const TCP_URG = 0x20

/** The numbers of a TCP header. */
export interface TcpHeader {
  /** Sequence number of the first byte of data, or of the SYN. */
  readonly sequence: number
  /** The next sequence number expected from the other side. */
  readonly acknowledgment: number
  /** The flags byte: {@link TCP_SYN} and so on, or-ed. */
  readonly flags: number
  /** The receive window as written, before scaling. */
  readonly window: number
  /** The options as they travel, padded to a multiple of 4, at most 40 bytes; see {@link encodeTcpOptions}. */
  readonly options?: Uint8Array
}

/** A TCP segment; `options` and `payload` are views. */
export interface TcpSegment extends TcpHeader {
  /** Port of the sender. */
  readonly sourcePort: number
  /** Port of the receiver. */
  readonly destinationPort: number
  /** The checksum as it came. */
  readonly checksum: number
  /** Where urgent data ends, counted from `sequence`. */
  readonly urgent: number
  /** The options as they came. */
  readonly options: Uint8Array
  /** The data. */
  readonly payload: Uint8Array
}

/** Reads a TCP segment (the payload of an IP packet), or returns `undefined` when its header is cut short. */
export function decodeTcp(segment: Uint8Array): TcpSegment | undefined {
  if (segment.length < TCP_HEADER_LENGTH) return undefined
  const headerLength = (segment[12]! >> 4) * 4
  if (headerLength < TCP_HEADER_LENGTH || headerLength > segment.length) return undefined
  return {
    sourcePort: readU16(segment, 0),
    destinationPort: readU16(segment, 2),
    sequence: readU32(segment, 4),
    acknowledgment: readU32(segment, 8),
    flags: segment[13]!,
    window: readU16(segment, 14),
    checksum: readU16(segment, 16),
    urgent: readU16(segment, 18),
    options: segment.subarray(TCP_HEADER_LENGTH, headerLength),
    payload: segment.subarray(headerLength),
  }
}

const EMPTY = new Uint8Array(0)
const MAX_OPTIONS = 40

/**
 * Returns a whole IP packet that carries one TCP segment, checksums included.
 *
 * @throws RangeError when the families differ, the options have no multiple of 4 or more than 40 bytes, or the
 * packet would be too long.
 */
export function encodeTcpPacket(
  source: Endpoint,
  destination: Endpoint,
  tcp: TcpHeader,
  payload: Uint8Array = EMPTY,
): Uint8Array {
  const options = tcp.options ?? EMPTY
  if (options.length % 4 !== 0 || options.length > MAX_OPTIONS) {
    throw new RangeError(`options have ${options.length} bytes, not a multiple of 4 up to ${MAX_OPTIONS}`)
  }
  const headerLength = TCP_HEADER_LENGTH + options.length
  const length = headerLength + payload.length
  const header = { source: source.address, destination: destination.address, protocol: PROTOCOL_TCP }
  const packet = startPacket(header, length)
  const at = ipHeaderLength(source.address)
  writeU16(packet, at, source.port)
  writeU16(packet, at + 2, destination.port)
  writeU32(packet, at + 4, tcp.sequence)
  writeU32(packet, at + 8, tcp.acknowledgment)
  packet[at + 12] = (headerLength / 4) << 4
  packet[at + 13] = tcp.flags
  writeU16(packet, at + 14, tcp.window)
  packet.set(options, at + TCP_HEADER_LENGTH)
  packet.set(payload, at + headerLength)
  const pseudo = pseudoHeaderSum(source.address, destination.address, PROTOCOL_TCP, length)
  writeU16(packet, at + 16, internetChecksum(packet, at, packet.length, pseudo))
  return packet
}

/** The options of a segment that are understood; what is absent was not sent. */
export interface TcpOptions {
  /** Largest segment the sender takes, in bytes (RFC 9293; SYN only). */
  readonly maximumSegmentSize?: number
  /** Shift of the sender's windows (RFC 7323; SYN only). */
  readonly windowScale?: number
  /** The sender takes selective acknowledgments (RFC 2018; SYN only). */
  readonly sackPermitted?: boolean
  /** Ranges received beyond the acknowledgment, as pairs of first and past-last sequence number (RFC 2018). */
  readonly sack?: readonly (readonly [number, number])[]
  /** The sender's clock and the echo of the receiver's (RFC 7323). */
  readonly timestamps?: readonly [value: number, echo: number]
}

const END = 0
const NO_OPERATION = 1
const MAXIMUM_SEGMENT_SIZE = 2
const WINDOW_SCALE = 3
const SACK_PERMITTED = 4
const SACK = 5
const TIMESTAMPS = 8

/** Reads options; stops at the first that is cut short, and skips unknown ones and ones of a wrong length. */
export function decodeTcpOptions(options: Uint8Array): TcpOptions {
  const found: { -readonly [K in keyof TcpOptions]: TcpOptions[K] } = {}
  for (let at = 0; at < options.length && options[at] !== END; ) {
    const kind = options[at]!
    if (kind === NO_OPERATION) {
      at += 1
      continue
    }
    const length = options[at + 1] ?? 0
    if (length < 2 || at + length > options.length) return found
    if (kind === MAXIMUM_SEGMENT_SIZE && length === 4) found.maximumSegmentSize = readU16(options, at + 2)
    if (kind === WINDOW_SCALE && length === 3) found.windowScale = Math.min(options[at + 2]!, 14)
    if (kind === SACK_PERMITTED && length === 2) found.sackPermitted = true
    if (kind === SACK && length % 8 === 2) found.sack = decodeSack(options.subarray(at + 2, at + length))
    if (kind === TIMESTAMPS && length === 10) {
      found.timestamps = [readU32(options, at + 2), readU32(options, at + 6)]
    }
    at += length
  }
  return found
}

function decodeSack(body: Uint8Array): [number, number][] {
  const ranges: [number, number][] = []
  for (let at = 0; at < body.length; at += 8) ranges.push([readU32(body, at), readU32(body, at + 4)])
  return ranges
}

/** Returns options as they travel, padded with no-operations to a multiple of 4. */
export function encodeTcpOptions(options: TcpOptions): Uint8Array {
  const out: number[] = []
  const u32 = (value: number): number[] => [value >>> 24, value >>> 16, value >>> 8, value]
  if (options.maximumSegmentSize !== undefined) {
    out.push(MAXIMUM_SEGMENT_SIZE, 4, options.maximumSegmentSize >>> 8, options.maximumSegmentSize)
  }
  if (options.windowScale !== undefined) out.push(WINDOW_SCALE, 3, options.windowScale)
  if (options.sackPermitted) out.push(SACK_PERMITTED, 2)
  if (options.timestamps) out.push(TIMESTAMPS, 10, ...options.timestamps.flatMap(u32))
  if (options.sack?.length) out.push(SACK, 2 + options.sack.length * 8, ...options.sack.flat().flatMap(u32))
  while (out.length % 4 !== 0) out.push(NO_OPERATION)
  return Uint8Array.from(out)
}
