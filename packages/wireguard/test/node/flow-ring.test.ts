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

function open(): { writer: FlowWriter; drain: () => number[] } {
  const memory = new SharedArrayBuffer(FLOW_RING_BYTES)
  const reader = new FlowReader(memory)
  const drain = (): number[] => {
    const ports: number[] = []
    reader.drain((packet) => ports.push(((packet[20] ?? 0) << 8) | (packet[21] ?? 0)))
    return ports
  }
  return { writer: new FlowWriter(memory), drain }
}

test('each flow is told once, in order, and again while it lives', () => {
  const { writer, drain } = open()
  for (let i = 0; i < 300; i += 1) writer.note(packetFrom(1 + (i % 3)), 0)
  expect(drain()).toEqual([1, 2, 3])
  expect(drain()).toEqual([])
  writer.note(packetFrom(2), 999)
  writer.note(packetFrom(3), 1_000)
  expect(drain()).toEqual([3])
})

test('a reader that falls behind gets the newest flows, and a packet of any length is told', () => {
  const { writer, drain } = open()
  for (let port = 1; port <= 5_000; port += 1) writer.note(packetFrom(port, 24 + (port % 2_000)), port)
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
  new FlowWriter(memory).note(packet, 0)
  const view = new IpPacket()
  const read: boolean[] = []
  reader.drain((told) => read.push(view.read(told) && view.known))
  expect(read).toEqual([true])
})
