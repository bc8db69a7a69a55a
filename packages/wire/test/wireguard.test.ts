import { expect, test } from 'vitest'
import {
  COOKIE_REPLY_LENGTH,
  INITIATION_LENGTH,
  MESSAGE_COOKIE_REPLY,
  MESSAGE_INITIATION,
  MESSAGE_RESPONSE,
  MESSAGE_TRANSPORT,
  RESPONSE_LENGTH,
  decodeCookieReply,
  decodeInitiation,
  decodeResponse,
  decodeTransport,
  encodeCookieReply,
  encodeInitiation,
  encodeResponse,
  encodeTransport,
  macsOf,
  messageType,
  receiverIndex,
} from '../src/wireguard/index.ts'
import { counting, hex, toHex, vectors } from './support.ts'

const known = vectors.wireguard

test('W1: the initiation of appendix A.1 is taken apart and put together byte for byte', () => {
  const message = decodeInitiation(hex(known.initiation))!
  expect(message.sender).toBe(known.initiatorIndex)
  expect(toHex(encodeInitiation(message))).toBe(known.initiation)
})

test('W1: the response of appendix A.1 is taken apart and put together byte for byte', () => {
  const message = decodeResponse(hex(known.response))!
  expect([message.sender, message.receiver]).toEqual([known.responderIndex, known.initiatorIndex])
  expect(toHex(encodeResponse(message))).toBe(known.response)
})

test('W15: the cookie reply of appendix A.1 is taken apart and put together byte for byte', () => {
  const message = decodeCookieReply(hex(known.cookieReply))!
  expect(message.receiver).toBe(known.initiatorIndex)
  expect(message.nonce).toEqual(counting(24))
  expect(toHex(encodeCookieReply(message))).toBe(known.cookieReply)
})

test('keepalive and data of appendix A.1 are taken apart and put together byte for byte', () => {
  for (const [text, counter, length] of [
    [known.keepalive, 0, 16],
    [known.data, 1, 80],
  ] as const) {
    const message = decodeTransport(hex(text))!
    expect(message).toMatchObject({ receiver: known.responderIndex, counterLow: counter, counterHigh: 0 })
    expect(message.sealed.length).toBe(length)
    expect(toHex(encodeTransport(message))).toBe(text)
  }
})

test('every field of an initiation lies where the layout says', () => {
  const datagram = encodeInitiation({
    sender: 0xa1a2a3a4,
    ephemeral: new Uint8Array(32).fill(0x11),
    sealedStatic: new Uint8Array(48).fill(0x22),
    sealedTimestamp: new Uint8Array(28).fill(0x33),
    mac1: new Uint8Array(16).fill(0x44),
    mac2: new Uint8Array(16).fill(0x55),
  })
  expect(datagram).toEqual(
    hex(`
      01000000 a4a3a2a1                 // type, sender index, both little-endian
      ${'11'.repeat(32)}                // ephemeral
      ${'22'.repeat(48)}                // sealed static
      ${'33'.repeat(28)}                // sealed timestamp
      ${'44'.repeat(16)} ${'55'.repeat(16)} // MAC1, MAC2
    `),
  )
})

test('MACs left out are zero and can be filled in place', () => {
  const datagram = encodeInitiation({
    sender: 1,
    ephemeral: counting(32),
    sealedStatic: counting(48),
    sealedTimestamp: counting(28),
  })
  const { mac1, mac2 } = macsOf(datagram)
  expect([...mac1, ...mac2]).toEqual(Array.from({ length: 32 }, () => 0))
  mac1.fill(7)
  expect(decodeInitiation(datagram)?.mac1).toEqual(new Uint8Array(16).fill(7))
})

test('W3: lengths other than 148, 92 and 64, and anything under 32 bytes, are no message', () => {
  const lengths = {
    [MESSAGE_INITIATION]: INITIATION_LENGTH,
    [MESSAGE_RESPONSE]: RESPONSE_LENGTH,
    [MESSAGE_COOKIE_REPLY]: COOKIE_REPLY_LENGTH,
  }
  for (const [type, length] of Object.entries(lengths)) {
    for (const wrong of [0, 1, 31, 32, length - 1, length + 1, 1500]) {
      const datagram = new Uint8Array(wrong)
      datagram[0] = Number(type)
      expect(messageType(datagram)).toBeUndefined()
    }
  }
  expect(messageType(hex('07'))).toBeUndefined()
  expect(messageType(new Uint8Array(0))).toBeUndefined()
  expect(messageType(hex(known.keepalive).subarray(0, 31))).toBeUndefined()
})

test('bytes 1 to 3 must be zero: they are part of the type', () => {
  for (const at of [1, 2, 3]) {
    const datagram = hex(known.keepalive)
    datagram[at] = 1
    expect(messageType(datagram)).toBeUndefined()
  }
})

test('threat 22: a counter beyond 2^32 and 2^53 keeps all of its 64 bits', () => {
  const message = decodeTransport(
    encodeTransport({
      receiver: 0xffffffff,
      counterLow: 0xfffffffe,
      counterHigh: 0xffffffff,
      sealed: counting(16),
    }),
  )
  expect(message).toMatchObject({ receiver: 0xffffffff, counterLow: 0xfffffffe, counterHigh: 0xffffffff })
})

test('the receiver index is found without decoding', () => {
  expect(receiverIndex(hex(known.response), MESSAGE_RESPONSE)).toBe(known.initiatorIndex)
  expect(receiverIndex(hex(known.cookieReply), MESSAGE_COOKIE_REPLY)).toBe(known.initiatorIndex)
  expect(receiverIndex(hex(known.data), MESSAGE_TRANSPORT)).toBe(known.responderIndex)
})

test('a field of a wrong length is refused by name', () => {
  const right = decodeInitiation(hex(known.initiation))!
  expect(() => encodeInitiation({ ...right, ephemeral: counting(31) })).toThrow(
    new RangeError('ephemeral has 31 bytes, not 32'),
  )
  expect(() => encodeCookieReply({ receiver: 0, nonce: counting(12), sealedCookie: counting(32) })).toThrow(
    RangeError,
  )
  expect(() => encodeCookieReply({ receiver: 0, nonce: counting(24), sealedCookie: counting(16) })).toThrow(
    RangeError,
  )
})
