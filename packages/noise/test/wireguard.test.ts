import { describe, expect, test } from 'vitest'
import {
  cookieFor,
  hasMac1,
  hasMac2,
  mac1Of,
  macKeysOf,
  nobleCrypto as crypto,
  openCookieReply,
  sealCookieReply,
  wireguardAccept,
  type WireGuardInitiation,
  wireguardInitiate,
  writeMac1,
  writeMac2,
} from '../src/index.ts'
import { hex, toHex } from './support.ts'

// The keys, indices and messages of data-plane.md appendix A.1.
const all = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const identity = (byte: number) =>
  ({ crypto, staticPrivate: all(byte), staticPublic: crypto.x25519Public(all(byte)) }) as const
const initiator = identity(0x11)
const responder = identity(0x33)
const timestamp = hex('400000006553f10a07000000')
const INITIATION = hex(`
  01000000040302010faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f203d95fc552c29d1be
  d66597b8ccddb5766350b66aad8baf1f3be1ddc6d207869c1b35fcf9165dca7274c2fc8309478ea5a698d106dde47e03
  22181bc100ba0a7055459b28d4e5e4bc961c2e8429a1b6dbbb902ed11d1595e22cc85a55000000000000000000000000
  00000000`)
const RESPONSE = hex(`
  020000000d0c0b0a04030201ff2ee45601ec1b67310c7790404585ae697331eee1c1f8cf2419731c1fff3e6b8c6affb3
  f16b85b4e0ba99cbf93886b8b38782f016f117c9be2eb1a366f12a8200000000000000000000000000000000`)
const T1 = 'a34ccdf475340d322edbe5a9d5d7d53f4846da5413787bec742bf3046a20a0e1'
const T2 = 'bf099c99b6272d78fb6c67d6d3372e99001d3be1fc9e6c72041cfa6ad6e3ea3a'

function initiate(presharedKey?: Uint8Array): WireGuardInitiation {
  const initiation = wireguardInitiate({
    ...initiator,
    remoteStatic: responder.staticPublic,
    ephemeralPrivate: all(0x22),
    timestamp,
    senderIndex: 0x01020304,
    ...(presharedKey && { presharedKey }),
  })
  if (initiation === undefined) throw new Error('no initiation')
  return initiation
}

describe('the WireGuard handshake', () => {
  test('W1 the initiator reproduces appendix A.1 byte for byte', () => {
    expect(toHex(initiator.staticPublic)).toBe(
      '7b4e909bbe7ffe44c465a220037d608ee35897d31ef972f07f74892cb0f73f13',
    )
    const { message } = initiate()
    writeMac1(crypto, macKeysOf(crypto, responder.staticPublic), message)
    expect(toHex(message)).toBe(toHex(INITIATION))
    const keys = initiate().readResponse(RESPONSE)
    expect(keys?.remoteIndex).toBe(0x0a0b0c0d)
    expect([toHex(keys?.send ?? timestamp), toHex(keys?.receive ?? timestamp)]).toEqual([T1, T2])
  })

  test('W1 the responder reproduces appendix A.1 byte for byte', () => {
    expect(hasMac1(crypto, macKeysOf(crypto, responder.staticPublic), INITIATION)).toBe(true)
    const acceptance = wireguardAccept(responder, INITIATION)
    expect(acceptance?.remoteStatic).toEqual(initiator.staticPublic)
    expect(acceptance?.remoteIndex).toBe(0x01020304)
    expect(acceptance?.openTimestamp()).toEqual(timestamp)
    const response = acceptance?.respond({ ephemeralPrivate: all(0x44), senderIndex: 0x0a0b0c0d })
    const message = response?.message ?? timestamp
    writeMac1(crypto, macKeysOf(crypto, initiator.staticPublic), message)
    expect(toHex(message)).toBe(toHex(RESPONSE))
    expect([toHex(response?.keys.receive ?? timestamp), toHex(response?.keys.send ?? timestamp)]).toEqual([
      T1,
      T2,
    ])
  })

  test('W1 the empty keepalive of appendix A.1 is sealed by these keys', () => {
    const empty = new Uint8Array(0)
    const sealed = crypto.seal(hex(T1), new Uint8Array(12), empty, empty)
    expect(toHex(sealed)).toBe('1d9612c4ffd267f43fd53646efb4f3ea')
  })

  test('a pre-shared key must be the same on both sides', () => {
    const initiation = initiate(all(5))
    const respond = (presharedKey: Uint8Array): Uint8Array => {
      const acceptance = wireguardAccept(responder, initiation.message)
      acceptance?.openTimestamp()
      return (
        acceptance?.respond({ ephemeralPrivate: all(0x44), senderIndex: 9, presharedKey })?.message ??
        timestamp
      )
    }
    expect(initiation.readResponse(respond(all(6)))).toBeUndefined()
    expect(initiation.readResponse(respond(all(5)))?.remoteIndex).toBe(9)
  })

  test('W3 messages of other lengths and types are refused', () => {
    for (const length of [0, 1, 32, 147, 149]) {
      const padded = new Uint8Array(length)
      padded.set(INITIATION.subarray(0, length))
      expect(wireguardAccept(responder, padded)).toBeUndefined()
      expect(initiate().readResponse(padded)).toBeUndefined()
    }
    expect(initiate().readResponse(RESPONSE.subarray(0, 91))).toBeUndefined()
  })
})

describe('MACs and cookies', () => {
  const cookie = Uint8Array.from({ length: 16 }, (_, i) => 0xa0 + i)
  const nonce = Uint8Array.from({ length: 24 }, (_, i) => i)
  const keys = macKeysOf(crypto, responder.staticPublic)

  test('the keys of appendix A.4', () => {
    const counting = Uint8Array.from({ length: 32 }, (_, i) => i)
    const { mac1, cookie: cookieKey } = macKeysOf(crypto, counting)
    expect(toHex(mac1)).toBe('4fb2527ac956001553dc1ad9b55171b7d9daa3de1cdbcd71451830170c7e6cac')
    expect(toHex(cookieKey)).toBe('3dd5869c5202e45146936d1644f76ff697061661c181f3fd450eae43932eacec')
  })

  test('W15 the cookie reply of appendix A.1, and the MAC2 that follows from it', () => {
    const reply = sealCookieReply(crypto, keys, {
      receiverIndex: 0x01020304,
      mac1: mac1Of(INITIATION),
      cookie,
      nonce,
    })
    expect(toHex(reply)).toBe(
      '0300000004030201000102030405060708090a0b0c0d0e0f1011121314151617814e09eae1da1b48f119eed2c24c44df' +
        'db9b8f287f94bf9361bc1d6ed0734a7f',
    )
    expect(openCookieReply(crypto, keys, mac1Of(INITIATION), reply)).toEqual(cookie)
    expect(openCookieReply(crypto, keys, cookie, reply)).toBeUndefined()
    const retry = Uint8Array.from(INITIATION)
    expect(hasMac2(crypto, cookie, retry)).toBe(false)
    writeMac2(crypto, cookie, retry)
    expect(toHex(retry.subarray(132))).toBe('175bffcbd309eda93179a17cdcb8406e')
    expect(hasMac2(crypto, cookie, retry)).toBe(true)
  })

  test('a changed message has no MAC1', () => {
    for (let i = 0; i < 132; i += 7) {
      const changed = Uint8Array.from(INITIATION)
      changed[i] = (changed[i] ?? 0) ^ 1
      expect(hasMac1(crypto, keys, changed)).toBe(false)
    }
  })

  test('threat 23: a cookie differs by any byte of the source, however long it is', () => {
    const of = (source: Uint8Array): string => toHex(cookieFor(crypto, all(1), source))
    expect(of(hex('0a0000010001'))).not.toBe(of(hex('0a0000010002')))
    expect(of(new Uint8Array(40))).not.toBe(of(new Uint8Array(41)))
  })
})
