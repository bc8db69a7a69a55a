import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodePcap, encodePcapHeader, encodePcapRecord } from '../src/index.ts'

const packets = fc.array(
  fc.record({ time: fc.integer({ min: 0, max: 2 ** 41 }), packet: fc.uint8Array({ maxLength: 200 }) }),
)

function capture(records: readonly { time: number; packet: Uint8Array }[], snapLength: number): Uint8Array {
  const parts = records.map(({ time, packet }) => encodePcapRecord(time, packet, snapLength))
  return Uint8Array.from(Buffer.concat([encodePcapHeader(snapLength), ...parts]))
}

test('a capture reads back as it was written, cut to the snap length', () => {
  fc.assert(
    fc.property(packets, fc.integer({ min: 1, max: 300 }), (records, snapLength) => {
      const file = decodePcap(capture(records, snapLength))
      expect(file?.snapLength).toBe(snapLength)
      expect(file?.records).toEqual(
        records.map(({ time, packet }) => ({
          time,
          originalLength: packet.length,
          packet: packet.subarray(0, snapLength),
        })),
      )
    }),
  )
})

test('a record is 16 bytes and what it keeps', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.integer({ min: 1, max: 300 }), (packet, snapLength) => {
      expect(encodePcapRecord(0, packet, snapLength).length).toBe(16 + Math.min(packet.length, snapLength))
    }),
  )
})

test('a damaged capture never throws and yields only records that are whole', () => {
  const damage = fc.record({ cut: fc.nat(), flip: fc.nat(), bit: fc.nat(7) })
  fc.assert(
    fc.property(packets, damage, fc.uint8Array({ maxLength: 100 }), (records, { cut, flip, bit }, noise) => {
      const whole = capture(records, 65_535)
      whole[flip % whole.length] = (whole[flip % whole.length] ?? 0) ^ (1 << bit)
      const file = decodePcap(whole.subarray(0, cut % (whole.length + 1)))
      for (const record of file?.records ?? []) expect(record.packet.length).toBeLessThanOrEqual(whole.length)
      decodePcap(noise)
    }),
  )
})
