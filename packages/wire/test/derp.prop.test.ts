import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  decodeClientInfo,
  decodeClosePeer,
  decodeForwardPacket,
  decodeFrame,
  decodeHealth,
  decodeNotePreferred,
  decodePeerGone,
  decodePeerPresent,
  decodePing,
  decodeRecvPacket,
  decodeRestarting,
  decodeSealedClientInfo,
  decodeSealedServerInfo,
  decodeSendPacket,
  decodeServerInfo,
  decodeServerKey,
  encodeClientInfo,
  encodeForwardPacket,
  encodeFrame,
  encodePeerGone,
  encodePeerPresent,
  encodeRecvPacket,
  encodeRestarting,
  encodeSealedClientInfo,
  encodeSealedServerInfo,
  encodeSendPacket,
  encodeServerInfo,
  encodeServerKey,
} from '../src/derp/index.ts'
import { bytes, endpoint, survives, u32, u8 } from './support.ts'

const key = bytes(32)
const nonce = bytes(24)
const box = fc.uint8Array({ minLength: 16, maxLength: 200 })
const packet = fc.uint8Array({ maxLength: 1300 })

/** Every frame with fields: how to make one, write it and read its payload. */
const codecs = {
  serverKey: { value: key, encode: encodeServerKey, decode: decodeServerKey },
  clientInfo: {
    value: fc.record({ clientKey: key, nonce, box }),
    encode: encodeSealedClientInfo,
    decode: decodeSealedClientInfo,
  },
  serverInfo: {
    value: fc.record({ nonce, box }),
    encode: encodeSealedServerInfo,
    decode: decodeSealedServerInfo,
  },
  sendPacket: {
    value: fc.record({ destination: key, packet }),
    encode: encodeSendPacket,
    decode: decodeSendPacket,
  },
  recvPacket: {
    value: fc.record({ source: key, packet }),
    encode: encodeRecvPacket,
    decode: decodeRecvPacket,
  },
  forwardPacket: {
    value: fc.record({ source: key, destination: key, packet }),
    encode: encodeForwardPacket,
    decode: decodeForwardPacket,
  },
  peerGone: { value: fc.record({ peer: key, reason: u8 }), encode: encodePeerGone, decode: decodePeerGone },
  peerPresent: {
    value: fc.record({ peer: key, endpoint, flags: u8 }),
    encode: encodePeerPresent,
    decode: decodePeerPresent,
  },
  restarting: {
    value: fc.record({ reconnectIn: u32, tryFor: u32 }),
    encode: encodeRestarting,
    decode: decodeRestarting,
  },
}

function roundTrips<T>(codec: {
  value: fc.Arbitrary<T>
  encode: (value: T) => Uint8Array
  decode: (payload: Uint8Array) => T | undefined
}): boolean {
  fc.assert(
    fc.property(codec.value, (value) => {
      const encoded = codec.encode(value)
      const frame = decodeFrame(encoded)!
      expect(encoded.length).toBe(5 + frame.payload.length)
      expect(codec.decode(frame.payload)).toEqual(value)
    }),
  )
  return survives(
    codec.value.map((value) => codec.encode(value).subarray(5)),
    codec.decode,
  )
}

test('every frame comes back as it was written, claims the length it has, and damaged never throws', () => {
  expect(roundTrips(codecs.serverKey)).toBe(true)
  expect(roundTrips(codecs.clientInfo)).toBe(true)
  expect(roundTrips(codecs.serverInfo)).toBe(true)
  expect(roundTrips(codecs.sendPacket)).toBe(true)
  expect(roundTrips(codecs.recvPacket)).toBe(true)
  expect(roundTrips(codecs.forwardPacket)).toBe(true)
  expect(roundTrips(codecs.peerGone)).toBe(true)
  expect(roundTrips(codecs.peerPresent)).toBe(true)
  expect(roundTrips(codecs.restarting)).toBe(true)
})

test('damaged small frames never throw', () => {
  const small = fc.uint8Array({ maxLength: 40 })
  for (const decode of [decodePing, decodeNotePreferred, decodeHealth, decodeClosePeer, decodeFrame]) {
    expect(survives(small, decode)).toBe(true)
  }
})

const clientInfo = fc.record(
  {
    meshKey: key.map((k) => Buffer.from(k).toString('hex')),
    version: u8,
    canAckPings: fc.boolean(),
    isProber: fc.boolean(),
    appName: fc.string(),
  },
  { requiredKeys: ['version', 'canAckPings', 'isProber'] },
)
const serverInfo = fc.record(
  { version: u8, tokenBucketBytesPerSecond: u32, tokenBucketBytesBurst: u32 },
  { requiredKeys: ['version'] },
)

test('both infos come back as they were written, and damaged JSON never throws', () => {
  fc.assert(
    fc.property(clientInfo, serverInfo, (client, server) => {
      expect(decodeClientInfo(encodeClientInfo(client))).toEqual(client)
      expect(decodeServerInfo(encodeServerInfo(server))).toEqual(server)
    }),
  )
  expect(survives(clientInfo.map(encodeClientInfo), decodeClientInfo)).toBe(true)
  expect(survives(serverInfo.map(encodeServerInfo), decodeServerInfo)).toBe(true)
  expect(
    survives(
      fc.json().map((text) => new TextEncoder().encode(text)),
      decodeClientInfo,
    ),
  ).toBe(true)
})

test('a frame of parts is the frame of the parts joined', () => {
  fc.assert(
    fc.property(u8, fc.array(packet, { maxLength: 4 }), (type, parts) => {
      const joined = Uint8Array.from(parts.flatMap((part) => [...part]))
      expect(encodeFrame(type, ...parts)).toEqual(encodeFrame(type, joined))
      expect(decodeFrame(encodeFrame(type, ...parts))).toEqual({ type, payload: joined })
    }),
  )
})
