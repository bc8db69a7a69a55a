// What filters on several threads tell each other of the host's flows.
import { IpPacket } from '@mesh/wire/ip'
import { expect, test } from 'vitest'
import { FLOW_RING_BYTES, FlowReader, FlowWriter } from '../../src/node/flow-ring.ts'

/** The beginning of a UDP packet of IPv4 from a port. */
function packetFrom(port: number, length = 60): Uint8Array {
  const packet = new Uint8Array(length)
  packet.set([0x45, 0, 0, length, 0, 0, 0, 0, 64, 17])
  packet.set([10, 0, 0, 1, 10, 0, 0, 2, port >> 8, port & 255, 0, 53], 12)
  return packet
}

function open(): { note: (packet: Uint8Array, now: number) => void; drain: () => number[] } {
  const memory = new SharedArrayBuffer(FLOW_RING_BYTES)
  const reader = new FlowReader(memory)
  const drain = (): number[] => {
    const ports: number[] = []
    reader.drain((bytes, at) => ports.push(((bytes[at + 20] ?? 0) << 8) | (bytes[at + 21] ?? 0)))
    return ports
  }
  const writer = new FlowWriter(memory)
  /** Not where the memory begins. */
  const note = (packet: Uint8Array, now: number): void => {
    writer.note(Uint8Array.of(1, 2, 3, ...packet, 4), 3, packet.length, now)
  }
  return { note, drain }
}

test('each flow is told once, in order, and again while it lives', () => {
  const { note, drain } = open()
  for (let i = 0; i < 300; i += 1) note(packetFrom(1 + (i % 3)), 0)
  expect(drain()).toEqual([1, 2, 3])
  expect(drain()).toEqual([])
  note(packetFrom(2), 999)
  note(packetFrom(3), 1_000)
  expect(drain()).toEqual([3])
})

test('a reader that falls behind gets the newest flows, and a packet of any length is told', () => {
  const { note, drain } = open()
  for (let port = 1; port <= 5_000; port += 1) note(packetFrom(port, 24 + (port % 2_000)), port)
  const ports = drain()
  expect(ports.length).toBeGreaterThanOrEqual(512)
  expect(ports).toEqual(Array.from({ length: ports.length }, (_, i) => 5_000 - ports.length + 1 + i))
})

test.each([
  ['IPv4', Uint8Array.of(0x45, 0, 1200 >> 8, 1200 & 255, 0, 0, 0, 0, 64, 17), 1200],
  ['IPv6', Uint8Array.of(0x60, 0, 0, 0, 1160 >> 8, 1160 & 255, 17, 64), 1200],
])('the beginning of a long packet of %s is a packet that a filter understands', (_, header, length) => {
  const memory = new SharedArrayBuffer(FLOW_RING_BYTES)
  const reader = new FlowReader(memory)
  const packet = new Uint8Array(length)
  packet.set(header)
  new FlowWriter(memory).note(packet, 0, packet.length, 0)
  const view = new IpPacket()
  const read: boolean[] = []
  reader.drain((...told) => read.push(view.read(...told) && view.known))
  expect(read).toEqual([true])
})
