import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeCookieReply,
  decodeInitiation,
  decodeResponse,
  decodeTransport,
  encodeCookieReply,
  encodeInitiation,
  encodeResponse,
  encodeTransport,
  messageType,
} from '../src/wireguard/index.ts'
import { bytes, survives, u32 } from './support.ts'

const initiation = fc.record({
  sender: u32,
  ephemeral: bytes(32),
  sealedStatic: bytes(48),
  sealedTimestamp: bytes(28),
  mac1: bytes(16),
  mac2: bytes(16),
})
const response = fc.record({
  sender: u32,
  receiver: u32,
  ephemeral: bytes(32),
  sealedEmpty: bytes(16),
  mac1: bytes(16),
  mac2: bytes(16),
})
const cookieReply = fc.record({ receiver: u32, nonce: bytes(24), sealedCookie: bytes(32) })
const transport = fc.record({
  receiver: u32,
  counterLow: u32,
  counterHigh: u32,
  sealed: fc.uint8Array({ minLength: 16, maxLength: 200 }),
})

test('every message comes back as it was written, with the length of its kind', () => {
  fc.assert(
    fc.property(initiation, response, cookieReply, transport, (i, r, c, t) => {
      expect(decodeInitiation(encodeInitiation(i))).toEqual(i)
      expect(decodeResponse(encodeResponse(r))).toEqual(r)
      expect(decodeCookieReply(encodeCookieReply(c))).toEqual(c)
      expect(decodeTransport(encodeTransport(t))).toEqual(t)
      const lengths = [encodeInitiation(i), encodeResponse(r), encodeCookieReply(c)].map((d) => d.length)
      expect(lengths).toEqual([148, 92, 64])
      expect(encodeTransport(t).length).toBe(16 + t.sealed.length)
    }),
  )
})

test('W3: damaged messages never throw', () => {
  const good = fc.oneof(
    initiation.map(encodeInitiation),
    response.map(encodeResponse),
    cookieReply.map(encodeCookieReply),
    transport.map(encodeTransport),
  )
  for (const decode of [messageType, decodeInitiation, decodeResponse, decodeCookieReply, decodeTransport]) {
    expect(survives(good, decode)).toBe(true)
  }
})
