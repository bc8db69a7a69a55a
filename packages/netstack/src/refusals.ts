// What a host owes to packets nobody here takes: a reset for TCP (RFC 9293 section 3.10.7.1), port unreachable for
// UDP (RFC 1122 section 4.1.3.1). Errors are rationed, so that a flood of questions is no flood of answers.
import {
  decodeTcp,
  encodeIcmpPortUnreachable,
  encodeTcpPacket,
  type IpPacket,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
} from '@mesh/wire/ip'

/** The most ICMP errors in one second; what Linux allows a destination by default is of this order. */
export const ICMP_ERRORS_PER_SECOND = 100

/** Returns the reset that a segment for no connection earns, or `undefined` when it earns none. */
export function encodeReset(packet: IpPacket): Uint8Array | undefined {
  const segment = decodeTcp(packet.payload)
  if (segment === undefined || (segment.flags & TCP_RST) !== 0) return undefined
  const here = { address: packet.destination, port: segment.destinationPort }
  const there = { address: packet.source, port: segment.sourcePort }
  if ((segment.flags & TCP_ACK) !== 0) {
    const reset = { sequence: segment.acknowledgment, acknowledgment: 0, flags: TCP_RST, window: 0 }
    return encodeTcpPacket(here, there, reset)
  }
  const phantoms = ((segment.flags & TCP_SYN) === 0 ? 0 : 1) + ((segment.flags & TCP_FIN) === 0 ? 0 : 1)
  const acknowledgment = (segment.sequence + segment.payload.length + phantoms) >>> 0
  return encodeTcpPacket(here, there, { sequence: 0, acknowledgment, flags: TCP_RST | TCP_ACK, window: 0 })
}

/** Rations ICMP errors by the second. */
export class IcmpErrors {
  #second = -Infinity
  #sent = 0

  /** Returns the error for a UDP packet to a closed port, or `undefined` when this second's share is used up. */
  portUnreachable(packet: IpPacket, now: number): Uint8Array | undefined {
    if (now - this.#second >= 1_000) {
      this.#second = now
      this.#sent = 0
    }
    if (this.#sent >= ICMP_ERRORS_PER_SECOND) return undefined
    this.#sent += 1
    return encodeIcmpPortUnreachable(packet)
  }
}
