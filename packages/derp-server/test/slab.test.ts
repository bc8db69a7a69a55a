// Frames cut from common memory are frames like any others, and none writes over another.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeRecvPacket } from '@mesh/wire/derp'
import { Slab, SLAB_LENGTH } from '../src/slab.ts'

test('frames of any lengths are those that the codec makes, and stay so', () => {
  const source = Uint8Array.from({ length: 32 }, (_, i) => i)
  fc.assert(
    fc.property(fc.array(fc.nat(2_000), { maxLength: 60 }), (lengths) => {
      const slab = new Slab()
      const packets = lengths.map((length, i) => new Uint8Array(length).fill(i + 1))
      const frames = packets.map((packet) => slab.recvPacket(source, packet))
      expect(frames).toEqual(packets.map((packet) => encodeRecvPacket({ source, packet })))
    }),
  )
})

test('a short frame holds on to one piece at most, a long one to itself', () => {
  const slab = new Slab()
  const source = new Uint8Array(32)
  expect(slab.recvPacket(source, new Uint8Array(1)).buffer.byteLength).toBe(SLAB_LENGTH)
  expect(slab.recvPacket(source, new Uint8Array(60_000)).buffer.byteLength).toBe(60_037)
})
