// Packets for the filter, written in text.

import {
  encodeIcmpEcho,
  encodeIpPacket,
  encodeTcpPacket,
  encodeUdpPacket,
  IpPacket,
  parseAddress,
  parseEndpoint,
} from '@mesh/wire/ip'
import type { Endpoint, IpAddress } from '@mesh/wire/ip'

export const address = (text: string): IpAddress => {
  const parsed = parseAddress(text)
  if (!parsed) throw new Error(`${text} is no address`)
  return parsed
}

export const endpoint = (text: string): Endpoint => {
  const parsed = parseEndpoint(text)
  if (!parsed) throw new Error(`${text} is no endpoint`)
  return parsed
}

/** A packet as the filter is shown it, read where it lies among other bytes. */
export const read = (packet: Uint8Array): IpPacket => {
  const view = new IpPacket()
  view.read(Uint8Array.of(0x45, ...packet, 0), 1, packet.length)
  return view
}

export const udp = (from: string, to: string): Uint8Array =>
  encodeUdpPacket(endpoint(from), endpoint(to), Uint8Array.of(1, 2, 3))

export const tcp = (from: string, to: string, flags: number): Uint8Array =>
  encodeTcpPacket(endpoint(from), endpoint(to), { sequence: 1, acknowledgment: 0, flags, window: 1000 })

export const echo = (from: string, to: string, kind: 'request' | 'reply' = 'request'): Uint8Array =>
  encodeIcmpEcho(address(from), address(to), { kind, identifier: 1, sequence: 1, data: Uint8Array.of(9) })

/** A packet of any protocol, with 20 bytes of `payload` unless given. */
export const ip = (from: string, to: string, protocol: number, payload = new Uint8Array(20)): Uint8Array =>
  encodeIpPacket({ source: address(from), destination: address(to), protocol }, payload)
