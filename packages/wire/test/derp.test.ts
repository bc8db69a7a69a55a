import { expect, test } from 'vitest'
import {
  FRAME_CLIENT_INFO,
  FRAME_KEEP_ALIVE,
  FRAME_PING,
  FRAME_RECV_PACKET,
  FRAME_SEND_PACKET,
  FRAME_SERVER_KEY,
  MAX_PACKET_LENGTH,
  PEER_GONE_NOT_HERE,
  decodeClientInfo,
  decodeClosePeer,
  decodeForwardPacket,
  decodeFrame,
  decodeHealth,
  decodeNotePreferred,
  decodePeerGone,
  decodePeerPresent,
  decodePing,
  decodeRestarting,
  decodeSealedClientInfo,
  decodeServerInfo,
  decodeServerKey,
  encodeClientInfo,
  encodeClosePeer,
  encodeForwardPacket,
  encodeHealth,
  encodeKeepAlive,
  encodeNotePreferred,
  encodePeerGone,
  encodePeerPresent,
  encodePing,
  encodePong,
  encodeRecvPacket,
  encodeRecvPacketHeader,
  encodeRestarting,
  encodeSealedClientInfo,
  encodeSealedServerInfo,
  encodeSendPacket,
  encodeServerInfo,
  encodeServerKey,
  encodeWatchConns,
  serverFrameLimit,
} from '../src/derp/index.ts'
import { parseEndpoint } from '../src/ip/index.ts'
import { counting, hex, toHex, vectors } from './support.ts'

const known = vectors.derp
const keyA = new Uint8Array(32).fill(0xaa)
const keyB = new Uint8Array(32).fill(0xbb)
const payloadOf = (frame: Uint8Array): Uint8Array => decodeFrame(frame)!.payload

test('S6: the server key frame of appendix A.3 is written byte for byte and read', () => {
  expect(toHex(encodeServerKey(hex(known.serverPublic)))).toBe(known.serverKeyFrame)
  expect(decodeFrame(hex(known.serverKeyFrame))?.type).toBe(FRAME_SERVER_KEY)
  expect(toHex(decodeServerKey(payloadOf(hex(known.serverKeyFrame))))).toBe(known.serverPublic)
})

test('C2: a server key frame with bytes of the future is read, one with wrong magic is not', () => {
  const payload = payloadOf(hex(known.serverKeyFrame))
  expect(decodeServerKey(Uint8Array.from([...payload, 1, 2, 3]))).toEqual(hex(known.serverPublic))
  expect(decodeServerKey(payload.subarray(0, 39))).toBeUndefined()
  expect(decodeServerKey(payload.with(7, 0x92))).toBeUndefined()
})

test('the client info frame of appendix A.3 is taken apart and put together byte for byte', () => {
  const frame = decodeFrame(hex(known.clientInfoFrame))!
  expect(frame.type).toBe(FRAME_CLIENT_INFO)
  const sealed = decodeSealedClientInfo(frame.payload)!
  expect([toHex(sealed.clientKey), toHex(sealed.nonce)]).toEqual([known.clientPublic, known.clientInfoNonce])
  expect(sealed.box.length).toBe(16 + known.clientInfoJson.length)
  expect(toHex(encodeSealedClientInfo(sealed))).toBe(known.clientInfoFrame)
})

test('the small frames of appendix A.3', () => {
  expect(toHex(encodeKeepAlive())).toBe(known.keepAlive)
  expect(toHex(encodeNotePreferred(true))).toBe(known.notePreferred)
  expect(toHex(encodePeerGone({ peer: keyA, reason: 0 })).startsWith(known.peerGoneHeader)).toBe(true)
  const present = encodePeerPresent({ peer: keyA, endpoint: parseEndpoint('1.2.3.4:5')!, flags: 0 })
  expect(toHex(present).startsWith(known.peerPresentHeader)).toBe(true)
})

test('the client info JSON is that of the vector, zero values left out', () => {
  expect(new TextDecoder().decode(encodeClientInfo({ version: 2, canAckPings: true, isProber: false }))).toBe(
    known.clientInfoJson,
  )
})

const json = (text: string): Uint8Array => new TextEncoder().encode(text)

test('info JSON is read as Go reads it: names in any case, unknown ones allowed, null as absent', () => {
  expect(decodeClientInfo(json('{"VERSION":2,"canackpings":true,"AppName":null,"Later":[1]}'))).toEqual({
    version: 2,
    canAckPings: true,
    isProber: false,
  })
  expect(decodeClientInfo(json('{}'))).toEqual({ version: 0, canAckPings: false, isProber: false })
  expect(
    decodeServerInfo(json('{"version":2,"TokenBucketBytesPerSecond":1000,"TokenBucketBytesBurst":70000}')),
  ).toEqual({
    version: 2,
    tokenBucketBytesPerSecond: 1000,
    tokenBucketBytesBurst: 70_000,
  })
})

test('an info that is no object, has a wrong type, or an empty mesh key is refused', () => {
  const bad = [
    '',
    '[]',
    'null',
    '7',
    '{"version":"2"}',
    '{"CanAckPings":1}',
    '{"meshKey":""}',
    '{"meshKey":"ab"}',
    '{"AppName":{}}',
    '\uFEFF{}',
  ]
  for (const text of bad) expect(decodeClientInfo(json(text))).toBeUndefined()
  expect(decodeClientInfo(hex('7b22ff227d'))).toBeUndefined()
  for (const text of ['', '[]', '{"version":{}}', '{"TokenBucketBytesBurst":"1"}'])
    expect(decodeServerInfo(json(text))).toBeUndefined()
})

test('threat 34: an info with __proto__ in it changes nothing but itself', () => {
  const info = decodeClientInfo(json('{"__proto__":{"isProber":true},"constructor":1,"version":2}'))
  expect(info).toEqual({ version: 2, canAckPings: false, isProber: false })
  expect(Object.getPrototypeOf(info)).toBe(Object.prototype)
})

test('info JSON comes back as it was written', () => {
  const client = {
    meshKey: 'ab'.repeat(32),
    version: 2,
    canAckPings: false,
    isProber: true,
    appName: 'probe',
  }
  expect(decodeClientInfo(encodeClientInfo(client))).toEqual(client)
  const server = { version: 2, tokenBucketBytesPerSecond: 5 }
  expect(decodeServerInfo(encodeServerInfo(server))).toEqual(server)
})

test('the layouts of the frames about packets', () => {
  const packet = hex('0102')
  expect(encodeSendPacket({ destination: keyB, packet })).toEqual(hex(`04 00000022 ${'bb'.repeat(32)} 0102`))
  expect(encodeRecvPacket({ source: keyA, packet })).toEqual(hex(`05 00000022 ${'aa'.repeat(32)} 0102`))
  expect(encodeRecvPacketHeader(keyA, 2)).toEqual(hex(`05 00000022 ${'aa'.repeat(32)}`))
  const forward = encodeForwardPacket({ source: keyA, destination: keyB, packet })
  expect(forward).toEqual(hex(`0a 00000042 ${'aa'.repeat(32)} ${'bb'.repeat(32)} 0102`))
  expect(decodeForwardPacket(payloadOf(forward))).toEqual({ source: keyA, destination: keyB, packet })
})

test('S15: peer-present is 51 bytes; the shorter ones of older servers are read too', () => {
  const endpoint = parseEndpoint('203.0.113.7:41641')!
  const frame = encodePeerPresent({ peer: keyA, endpoint, flags: 3 })
  expect(frame).toEqual(hex(`09 00000033 ${'aa'.repeat(32)} 00000000000000000000ffffcb007107 a2a9 03`))
  const payload = payloadOf(frame)
  expect(decodePeerPresent(payload)).toEqual({ peer: keyA, endpoint, flags: 3 })
  expect(decodePeerPresent(payload.subarray(0, 50))).toEqual({ peer: keyA, endpoint, flags: 0 })
  expect(decodePeerPresent(payload.subarray(0, 49))).toEqual({ peer: keyA, flags: 0 })
  expect(decodePeerPresent(payload.subarray(0, 31))).toBeUndefined()
  expect(encodePeerPresent({ peer: keyA, flags: 0 }).length).toBe(5 + 32)
})

test('peer-gone without a reason means disconnected', () => {
  expect(decodePeerGone(keyA)).toEqual({ peer: keyA, reason: 0 })
  expect(decodePeerGone(payloadOf(encodePeerGone({ peer: keyA, reason: PEER_GONE_NOT_HERE })))).toEqual({
    peer: keyA,
    reason: 1,
  })
})

test('S8: note-preferred must be exactly one byte, 0 or 1', () => {
  expect(
    [encodeNotePreferred(true), encodeNotePreferred(false)].map((f) => decodeNotePreferred(payloadOf(f))),
  ).toEqual([true, false])
  for (const bad of ['', '02', '0100']) expect(decodeNotePreferred(hex(bad))).toBeUndefined()
})

test('S9: a pong brings back the first 8 bytes of a ping of any length', () => {
  expect(encodePing(counting(8))).toEqual(hex('12 00000008 0001020304050607'))
  expect(encodePong(counting(1000))).toEqual(hex('13 00000008 0001020304050607'))
  expect(decodePing(counting(9))).toEqual(counting(8))
  expect(decodePing(counting(7))).toBeUndefined()
  expect(() => encodePong(counting(7))).toThrow('data')
  expect(() => encodePing(counting(9))).toThrow('data')
})

test('health, restarting, watch and close', () => {
  expect(decodeHealth(payloadOf(encodeHealth('zu viele Verbindungen — ü')))).toBe('zu viele Verbindungen — ü')
  expect(decodeHealth(hex('ff'))).toBe('\uFFFD')
  expect(encodeRestarting({ reconnectIn: 1000, tryFor: 60_000 })).toEqual(
    hex('15 00000008 000003e8 0000ea60'),
  )
  expect(decodeRestarting(hex('000003e8 0000ea60 77'))).toEqual({ reconnectIn: 1000, tryFor: 60_000 })
  expect(decodeRestarting(counting(7))).toBeUndefined()
  expect(encodeWatchConns()).toEqual(hex('10 00000000'))
  expect(encodeClosePeer(keyA)).toEqual(hex(`11 00000020 ${'aa'.repeat(32)}`))
  expect([decodeClosePeer(keyA), decodeClosePeer(counting(33))]).toEqual([keyA, undefined])
})

test('a single frame is read only when it is whole', () => {
  expect(decodeFrame(hex('06 00000000 ff'))).toEqual({ type: FRAME_KEEP_ALIVE, payload: new Uint8Array(0) })
  expect(decodeFrame(hex('06 00000001'))).toBeUndefined()
  expect(decodeFrame(hex('06 ffffffff 00'))).toBeUndefined()
  expect(decodeFrame(hex('06 000000'))).toBeUndefined()
})

test('S7: the server reads a packet of 65536 bytes and not of one more; S9: a ping of up to 1000', () => {
  expect(serverFrameLimit(FRAME_SEND_PACKET)).toBe(32 + MAX_PACKET_LENGTH)
  expect(serverFrameLimit(FRAME_PING)).toBe(1000)
  expect(serverFrameLimit(FRAME_RECV_PACKET)).toBe(-1)
})

test('fields of a wrong length are refused by name', () => {
  const short = counting(31)
  expect(() => encodeServerKey(short)).toThrow('serverKey has 31 bytes, not 32')
  expect(() => encodeSendPacket({ destination: short, packet: short })).toThrow('destination')
  expect(() => encodeRecvPacketHeader(short, 0)).toThrow('source')
  expect(() => encodePeerGone({ peer: short, reason: 0 })).toThrow('peer')
  expect(() => encodeSealedServerInfo({ nonce: short, box: short })).toThrow('nonce')
})
