import { describe, expect, test } from 'vitest'
import { tunDeviceContract } from '../src/contract/index.ts'
import { batchOf, createTunPair, packetsOf } from '../src/index.ts'
import { udpPacket } from './support.ts'

describe('the in-memory pair keeps the contract of a device:', () => {
  tunDeviceContract(test, async () => {
    const [device, far] = createTunPair({ mtu: 1500 })
    return {
      device,
      inbound: (length, mark) => udpPacket('10.0.0.1', '10.0.0.2', length, mark),
      outbound: (length, mark) => udpPacket('10.0.0.2', '10.0.0.1', length, mark),
      inject: (packets) => void far.write(batchOf(packets)),
      onDelivered: (listener) => far.onPackets((batch) => packetsOf(batch).forEach(listener)),
      close: () => far.close(),
    }
  })
})

test('packets wait for an end that has no sink yet, up to the backlog, and the rest are counted', () => {
  const [left, right] = createTunPair({ backlog: 2 })
  const packets = [1, 2, 3].map((mark) => udpPacket('10.0.0.1', '10.0.0.2', 40, mark))
  expect(left.write(batchOf(packets))).toBe(3)
  const got: Uint8Array[] = []
  right.onPackets((batch) => got.push(...packetsOf(batch)))
  expect(got).toEqual(packets.slice(0, 2))
  expect(right.counters().receiveDrops).toBe(1)
})

test('a packet longer than the MTU is refused, its neighbours pass', () => {
  const [left, right] = createTunPair({ mtu: 100 })
  const got: number[] = []
  right.onPackets((batch) => got.push(...packetsOf(batch).map((packet) => packet.length)))
  const sizes = [60, 101, 100]
  expect(left.write(batchOf(sizes.map((size) => udpPacket('10.0.0.1', '10.0.0.2', size, 0))))).toBe(2)
  expect(got).toEqual([60, 100])
  expect(left.counters().sendDrops).toBe(1)
})

test('a packet that fits reaches the far sink on the writer’s own buffer, without a copy', () => {
  const [left, right] = createTunPair()
  const batch = batchOf([udpPacket('10.0.0.1', '10.0.0.2', 40, 0)])
  let seen: Uint8Array | undefined
  right.onPackets(({ bytes }) => {
    seen = bytes
  })
  left.write(batch)
  expect(seen).toBe(batch.bytes)
})

test('an MTU outside of IP’s range is the caller’s mistake', () => {
  expect(() => createTunPair({ mtu: 67 })).toThrow(RangeError)
  expect(() => createTunPair({ mtu: 65_536 })).toThrow(RangeError)
})
