import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  FRAME_CLIENT_INFO,
  FRAME_HEADER_LENGTH,
  FRAME_KEEP_ALIVE,
  FRAME_PING,
  FRAME_RECV_PACKET,
  FRAME_SEND_PACKET,
  type Frame,
  FrameReader,
  MAX_PACKET_LENGTH,
  clientFrameLimit,
  encodeFrame,
  serverFrameLimit,
  writeFrameHeader,
} from '../src/derp/index.ts'
import { counting, u8 } from './support.ts'

/** Reads all that is there now, in copies. */
function readAll(reader: FrameReader): Frame[] {
  const frames: Frame[] = []
  for (let frame = reader.read(); frame; frame = reader.read()) {
    frames.push({ type: frame.type, payload: frame.payload.slice() })
  }
  return frames
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

function header(type: number, length: number): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_LENGTH)
  writeFrameHeader(bytes, 0, type, length)
  return bytes
}

const frame: fc.Arbitrary<Frame> = fc.record({ type: u8, payload: fc.uint8Array({ maxLength: 60 }) })

/** Cuts bytes into chunks of the sizes given, again and again. */
function chunks(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const cut: Uint8Array[] = []
  for (let at = 0, i = 0; at < stream.length; i += 1) {
    const size = sizes[i % sizes.length]!
    cut.push(stream.subarray(at, at + size))
    at += size
  }
  return cut
}

const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 })

test('the same frames come out however the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), sizes, (frames, cuts) => {
      const reader = new FrameReader(clientFrameLimit)
      const seen: Frame[] = []
      for (const chunk of chunks(concat(frames.map((f) => encodeFrame(f.type, f.payload))), cuts)) {
        reader.feed(chunk)
        seen.push(...readAll(reader))
      }
      expect(seen).toEqual(frames)
    }),
  )
})

test('S8: unknown types are passed over however the stream is cut, and the known ones around them come out', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), sizes, (frames, cuts) => {
      const limit = (type: number): number => (type < 128 ? 60 : -1)
      const reader = new FrameReader(limit)
      const seen: Frame[] = []
      for (const chunk of chunks(concat(frames.map((f) => encodeFrame(f.type, f.payload))), cuts)) {
        reader.feed(chunk)
        seen.push(...readAll(reader))
      }
      expect(seen).toEqual(frames.filter((f) => f.type < 128))
    }),
  )
})

test('random bytes never throw and never make it keep more than came', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 10 }), (parts) => {
      const reader = new FrameReader(serverFrameLimit)
      let fed = 0
      for (const part of parts) {
        reader.feed(part)
        fed += part.length
        readAll(reader)
        expect(reader.gathered).toBeLessThanOrEqual(fed)
      }
    }),
  )
})

test('chunks fed one after another without reading are not lost', () => {
  const reader = new FrameReader(clientFrameLimit)
  const stream = concat([encodeFrame(1, counting(10)), encodeFrame(2, counting(20))])
  for (const chunk of chunks(stream, [7])) reader.feed(chunk)
  expect(readAll(reader)).toEqual([
    { type: 1, payload: counting(10) },
    { type: 2, payload: counting(20) },
  ])
})

test('a frame that lies whole in one chunk is a view of it', () => {
  const chunk = encodeFrame(FRAME_RECV_PACKET, counting(50))
  const reader = new FrameReader(clientFrameLimit)
  reader.feed(chunk)
  expect(reader.read()?.payload.buffer).toBe(chunk.buffer)
})

test('a frame handed out is not overwritten by what is gathered after it', () => {
  const stream = concat([encodeFrame(1, counting(30)), encodeFrame(2, new Uint8Array(30).fill(9))])
  const reader = new FrameReader(clientFrameLimit)
  reader.feed(stream.subarray(0, 20))
  expect(reader.read()).toBeUndefined()
  reader.feed(stream.subarray(20, 60))
  const first = reader.read()!
  expect(reader.read()).toBeUndefined()
  expect(first.payload).toEqual(counting(30))
})

test('S7, threat 26: a packet of 65536 bytes passes, one byte more stops the reader for good', () => {
  const whole = encodeFrame(FRAME_SEND_PACKET, new Uint8Array(32 + MAX_PACKET_LENGTH))
  const reader = new FrameReader(serverFrameLimit)
  reader.feed(whole)
  expect(reader.read()?.payload.length).toBe(32 + MAX_PACKET_LENGTH)
  reader.feed(header(FRAME_SEND_PACKET, 33 + MAX_PACKET_LENGTH))
  expect([reader.read(), reader.tooLarge]).toEqual([undefined, true])
  reader.feed(encodeFrame(FRAME_PING, counting(8)))
  expect(reader.read()).toBeUndefined()
})

test('threat 26: a claim of 256 KiB costs the bytes that come, not the bytes claimed', () => {
  const reader = new FrameReader(serverFrameLimit)
  reader.feed(header(FRAME_CLIENT_INFO, 262_144))
  expect(reader.read()).toBeUndefined()
  expect(reader.gathered).toBe(FRAME_HEADER_LENGTH)
  reader.feed(header(FRAME_CLIENT_INFO, 262_145))
  expect([reader.read(), reader.tooLarge]).toEqual([undefined, false])
})

test('an unknown frame that claims 4 GiB is passed over without keeping any of it', () => {
  const reader = new FrameReader(serverFrameLimit)
  reader.feed(header(0x77, 0xffff_ffff))
  for (let i = 0; i < 100; i += 1) {
    expect(reader.read()).toBeUndefined()
    reader.feed(new Uint8Array(65_536))
  }
  expect([reader.gathered, reader.tooLarge]).toEqual([0, false])
})

test('empty frames come out, also when the chunk ends with their header', () => {
  const reader = new FrameReader(clientFrameLimit)
  reader.feed(header(FRAME_KEEP_ALIVE, 0).subarray(0, 3))
  expect(reader.read()).toBeUndefined()
  reader.feed(header(FRAME_KEEP_ALIVE, 0).subarray(3))
  expect(reader.read()).toEqual({ type: FRAME_KEEP_ALIVE, payload: new Uint8Array(0) })
})
