// What must hold for any bytes in the control protocol's framings.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeInitiation,
  decodeNoiseFrame,
  EarlyPayloadReader,
  encodeEarlyPayload,
  encodeInitiation,
  encodeMapFrame,
  encodeNoiseFrame,
  INITIATION_LENGTH,
  MapFrameReader,
  NOISE_FRAME,
} from '../src/control/index.ts'
import { bytes, survives, u16 } from './support.ts'

const noiseFrame = fc.oneof(
  fc.record({ type: fc.constant(NOISE_FRAME.response), body: bytes(48) }),
  fc.record({
    type: fc.constantFrom(NOISE_FRAME.error, NOISE_FRAME.record),
    body: fc.uint8Array({ maxLength: 4093 }),
  }),
)

test('initiations come back as they were written and claim the length they have', () => {
  fc.assert(
    fc.property(u16, bytes(96), (version, message) => {
      const frame = encodeInitiation(version, message)
      expect(decodeInitiation(frame)).toEqual({ version, message })
      expect(frame).toHaveLength(INITIATION_LENGTH)
    }),
  )
})

test('frames come back as they were written and claim the length they have', () => {
  fc.assert(
    fc.property(noiseFrame, ({ type, body }) => {
      const frame = encodeNoiseFrame(type, body)
      expect(decodeNoiseFrame(frame)).toEqual({ type, body, length: frame.length })
      expect((frame[1]! << 8) + frame[2]! + 3).toBe(frame.length)
    }),
  )
})

test('every cut of a frame is only short', () => {
  fc.assert(
    fc.property(noiseFrame, fc.nat(), ({ type, body }, cut) => {
      const frame = encodeNoiseFrame(type, body)
      expect(decodeNoiseFrame(frame.subarray(0, cut % frame.length))).toBe('short')
    }),
  )
})

test('damaged frames never throw', () => {
  const initiations = fc.tuple(u16, bytes(96)).map(([version, message]) => encodeInitiation(version, message))
  expect(survives(initiations, decodeInitiation)).toBe(true)
  const frames = noiseFrame.map(({ type, body }) => encodeNoiseFrame(type, body))
  expect(survives(frames, decodeNoiseFrame)).toBe(true)
})

/** Cuts bytes at the given places. */
function pieces(whole: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length]
  return places.slice(1).map((end, i) => whole.subarray(places[i], end))
}

const cuts = fc.array(fc.nat(), { maxLength: 12 })

test('map messages come out whole however the stream is cut', () => {
  const messages = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 8 })
  fc.assert(
    fc.property(messages, cuts, (sent, places) => {
      const stream = new Uint8Array(sent.flatMap((message) => [...encodeMapFrame(message)]))
      const reader = new MapFrameReader()
      const got: Uint8Array[] = []
      for (const piece of pieces(stream, places)) {
        reader.feed(piece)
        for (let message = reader.read(); message; message = reader.read()) got.push(message.slice())
      }
      expect(got).toEqual(sent)
      expect(reader.broken).toBe(false)
    }),
  )
})

test('damaged map streams never throw and never yield more than the limit', () => {
  const stream = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 })).map((messages) => {
    return new Uint8Array(messages.flatMap((message) => [...encodeMapFrame(message)]))
  })
  const read = (damaged: Uint8Array): unknown => {
    const reader = new MapFrameReader(64)
    reader.feed(damaged)
    let last: Uint8Array | undefined
    for (let message = reader.read(); message; message = reader.read()) {
      expect(message.length).toBeLessThanOrEqual(64)
      last = message
    }
    return last
  }
  expect(survives(stream, read)).toBe(true)
})

test('control 6: the early payload is found however the stream is cut, and nothing after it is lost', () => {
  const challenge = bytes(32).map((key) => `chalpub:${Buffer.from(key).toString('hex')}` as const)
  fc.assert(
    fc.property(challenge, fc.uint8Array({ maxLength: 40 }), cuts, (nodeKeyChallenge, after, places) => {
      const stream = Uint8Array.of(...encodeEarlyPayload({ nodeKeyChallenge }), ...after)
      const reader = new EarlyPayloadReader()
      const parts = pieces(stream, places)
      let result = reader.feed(new Uint8Array(0))
      while (result.kind === 'more' && parts.length > 0) result = reader.feed(parts.shift()!)
      expect(result.kind === 'done' && result.payload).toEqual({ nodeKeyChallenge })
      const rest = [...(result.kind === 'done' ? result.rest : []), ...parts.flatMap((part) => [...part])]
      expect(rest).toEqual([...after])
    }),
  )
})

test('damaged early payloads never throw', () => {
  const good = bytes(32).map((key) =>
    encodeEarlyPayload({ nodeKeyChallenge: `chalpub:${Buffer.from(key).toString('hex')}` }),
  )
  expect(survives(good, (damaged) => new EarlyPayloadReader().feed(damaged))).toBe(true)
})
