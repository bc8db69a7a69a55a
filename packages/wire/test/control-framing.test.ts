// The control protocol's framings, byte by byte.
import { expect, test } from 'vitest'
import {
  decodeInitiation,
  decodeNoiseFrame,
  EARLY_PAYLOAD_MAGIC,
  EarlyPayloadReader,
  encodeEarlyPayload,
  encodeInitiation,
  encodeMapFrame,
  encodeMapResponse,
  encodeNoiseFrame,
  KEEP_ALIVE_RESPONSE,
  MapFrameReader,
  MAX_RECORD_CIPHERTEXT,
  MAX_RECORD_PLAINTEXT,
  NOISE_FRAME,
} from '../src/control/index.ts'
import { counting, hex, toHex } from './support.ts'

test('control 2: an initiation is five header bytes and 96 of Noise', () => {
  const frame = hex(`
    0091                              // version 145
    01                                // initiation
    0060                              // 96 bytes follow
    7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13 // ephemeral
    99b043e7b583a167d9be715032da9e2927b7e2c9a753dcf4c93208099e873892
    649c51311edda9d6ea0dfcbad8274c46  // sealed static
    528d822032a2286b96af6cee64cb763b  // tag of the empty payload
  `)
  const initiation = decodeInitiation(frame)
  expect(initiation?.version).toBe(145)
  expect(initiation?.message).toHaveLength(96)
  expect(toHex(encodeInitiation(145, initiation!.message))).toBe(toHex(frame))
})

test('a response is three header bytes and 48 of Noise', () => {
  const frame = encodeNoiseFrame(NOISE_FRAME.response, counting(48))
  expect(toHex(frame)).toBe(`020030${toHex(counting(48))}`)
  expect(decodeNoiseFrame(frame)).toEqual({ type: 2, body: counting(48), length: 51 })
})

test('an error frame carries text, and bytes after a frame are left alone', () => {
  const text = new TextEncoder().encode('no')
  const frame = encodeNoiseFrame(NOISE_FRAME.error, text)
  expect(toHex(frame)).toBe('0300026e6f')
  expect(decodeNoiseFrame(hex('0300026e6f 04'))).toEqual({ type: 3, body: text, length: 5 })
})

test('control 4: a record holds 4077 plain bytes; a longer claim is refused at once', () => {
  expect(MAX_RECORD_PLAINTEXT).toBe(4077)
  expect(MAX_RECORD_CIPHERTEXT).toBe(4093)
  expect(decodeNoiseFrame(hex('040ffd'))).toBe('short')
  expect(decodeNoiseFrame(hex('040ffe'))).toBeUndefined()
  expect(() => encodeNoiseFrame(NOISE_FRAME.record, new Uint8Array(4094))).toThrow(RangeError)
})

test('a frame of an unknown type, or a response of the wrong length, cannot be mended by more bytes', () => {
  expect(decodeNoiseFrame(hex('01'))).toBeUndefined()
  expect(decodeNoiseFrame(hex('05'))).toBeUndefined()
  expect(decodeNoiseFrame(hex('020031'))).toBeUndefined()
  expect(decodeNoiseFrame(hex(''))).toBe('short')
})

test('control 29: a map frame has its length little-endian in front', () => {
  expect(toHex(encodeMapFrame(hex('aabbcc')))).toBe('03000000aabbcc')
})

test('control 30: the keep-alive is exactly {"KeepAlive":true}', () => {
  const frame = encodeMapResponse(KEEP_ALIVE_RESPONSE)
  expect(new TextDecoder().decode(frame.subarray(4))).toBe('{"KeepAlive":true}')
})

test('threat 26: a claimed length of 0 or above the limit breaks the stream without being held', () => {
  for (const claim of ['00000000', '01004000', 'ffffffff']) {
    const reader = new MapFrameReader()
    reader.feed(hex(`${claim} 61`))
    expect(reader.read()).toBeUndefined()
    expect(reader.broken).toBe(true)
    reader.feed(hex('0100000061'))
    expect(reader.read()).toBeUndefined()
  }
})

test('control 29: the place of a large message is not kept for the small ones behind it', () => {
  const reader = new MapFrameReader()
  reader.feed(encodeMapFrame(new Uint8Array(1 << 20)))
  expect(reader.read()).toHaveLength(1 << 20)
  reader.feed(encodeMapFrame(hex('aabbcc')))
  const small = reader.read()
  expect(toHex(small)).toBe('aabbcc')
  expect(small?.buffer.byteLength).toBeLessThan(64 << 10)
})

test('control 6: the early payload is magic, a big-endian length and JSON', () => {
  const payload = { nodeKeyChallenge: `chalpub:${'ab'.repeat(32)}` } as const
  const bytes = encodeEarlyPayload(payload)
  expect(toHex(bytes.subarray(0, 9))).toBe(`${toHex(EARLY_PAYLOAD_MAGIC)}0000005f`)
  expect(toHex(EARLY_PAYLOAD_MAGIC)).toBe('ffffff5453')
  const rest = hex('000012040000000000')
  const result = new EarlyPayloadReader().feed(Uint8Array.of(...bytes, ...rest))
  expect(result).toEqual({ kind: 'done', payload, rest })
})

test('a stream without an early payload is passed on from its first byte', () => {
  const settings = hex('000012 04 00 00000000')
  expect(new EarlyPayloadReader().feed(settings)).toEqual({
    kind: 'done',
    payload: undefined,
    rest: settings,
  })
})

test('an early payload that claims too much, or is no JSON, is bad', () => {
  expect(new EarlyPayloadReader().feed(hex('ffffff5453 00010001'))).toEqual({ kind: 'bad' })
  expect(new EarlyPayloadReader().feed(hex('ffffff5453 00000001 7b'))).toEqual({ kind: 'bad' })
})
