import { expect, test } from 'vitest'
import {
  DISCO_HEADER_LENGTH,
  type DiscoMessage,
  decodeDisco,
  decodeDiscoEnvelope,
  encodeDisco,
  encodeDiscoEnvelope,
  isDisco,
  looksLikeDisco,
} from '../src/disco/index.ts'
import { parseEndpoint } from '../src/ip/index.ts'
import { counting, hex, toHex, vectors } from './support.ts'

const known = vectors.disco
const txId = hex(known.txId)
const nodeKey = new Uint8Array(32).fill(0xaa)

test('D1: the envelopes of appendix A.3 are split and joined byte for byte', () => {
  for (const [packet, sender, innerLength] of [
    [known.ping, known.publicA, 46],
    [known.pong, known.publicB, 32],
  ] as const) {
    const envelope = decodeDiscoEnvelope(hex(packet))!
    expect(toHex(envelope.senderDisco)).toBe(sender)
    expect(toHex(envelope.nonce)).toBe(known.nonce)
    expect(envelope.box.length).toBe(16 + innerLength)
    expect(toHex(encodeDiscoEnvelope(envelope))).toBe(packet)
  }
})

test('D1: ping and pong have the bytes of the catalogue', () => {
  expect(encodeDisco({ kind: 'ping', txId, nodeKey })).toEqual(
    hex(`01 00                       // ping, version 0
         ${known.txId}               // transaction id
         ${toHex(nodeKey)}           // claimed node key`),
  )
  expect(encodeDisco({ kind: 'pong', txId, source: parseEndpoint('203.0.113.7:41641')! })).toEqual(
    hex(`02 00
         ${known.txId}
         00000000000000000000ffff cb007107 // IPv4 as IPv6
         a2a9                        // port, big-endian`),
  )
})

test('what asks for doors to be opened and tried has types that others do not use', () => {
  const { address, port } = parseEndpoint('203.0.113.7:256')!
  expect(encodeDisco({ kind: 'doors-offer', address, doors: port })).toEqual(
    hex(`f0 00
         00000000000000000000ffff cb007107 // our address
         0100                        // 256 doors`),
  )
  expect(encodeDisco({ kind: 'doors-accept', endpoint: parseEndpoint('203.0.113.7:41641')! })).toEqual(
    hex(`f1 00
         00000000000000000000ffff cb007107 a2a9 // the endpoint to open toward`),
  )
})

const common = `
  00010203 00000009              // VNI, generation
  ${'bb'.repeat(32)}             // remote disco key
  ${'cc'.repeat(32)}             // challenge`
const allocation = `
  ${'11'.repeat(32)} ${'22'.repeat(32)} ${'33'.repeat(32)} // server, client A, client B
  0000000100000002               // lamport id
  00010203                       // VNI
  00000006fc23ac00               // bind lifetime: 30 s in nanoseconds
  00000045d964b800               // steady state lifetime: 300 s
  20010db8000000000000000000000001 1f90 // endpoint [2001:db8::1]:8080`
const handshake = {
  vni: 0x010203,
  generation: 9,
  remoteDisco: new Uint8Array(32).fill(0xbb),
  challenge: new Uint8Array(32).fill(0xcc),
}
const clientDisco = [new Uint8Array(32).fill(0x22), new Uint8Array(32).fill(0x33)] as const
const relay = {
  serverDisco: new Uint8Array(32).fill(0x11),
  clientDisco,
  lamportId: 0x1_0000_0002n,
  vni: 0x010203,
  bindLifetime: 30_000,
  steadyStateLifetime: 300_000,
  endpoints: [parseEndpoint('[2001:db8::1]:8080')!],
}

test.each<[string, DiscoMessage]>([
  [
    `03 00 00000000000000000000ffff0a000001 0001 20010db8000000000000000000000001 1f90`,
    {
      kind: 'call-me-maybe',
      endpoints: [parseEndpoint('10.0.0.1:1')!, parseEndpoint('[2001:db8::1]:8080')!],
    },
  ],
  [`04 00 ${common}`, { kind: 'relay-bind', ...handshake }],
  [`05 00 ${common}`, { kind: 'relay-challenge', ...handshake }],
  [`06 00 ${common}`, { kind: 'relay-answer', ...handshake }],
  [`07 00 ${allocation}`, { kind: 'call-me-maybe-via', ...relay }],
  [
    `08 00 ${'22'.repeat(32)} ${'33'.repeat(32)} 00000009`,
    { kind: 'allocate-request', clientDisco, generation: 9 },
  ],
  [`09 00 00000009 ${allocation}`, { kind: 'allocate-response', generation: 9, ...relay }],
])('the layout of message %#, both ways', (layout, message) => {
  expect(toHex(encodeDisco(message))).toBe(toHex(hex(layout)))
  expect(decodeDisco(hex(layout))).toEqual(message)
})

test('D1: trailing bytes are accepted; after a ping they are its padding', () => {
  const ping = encodeDisco({ kind: 'ping', txId, nodeKey, padding: 5 })
  expect(ping.length).toBe(46 + 5)
  expect(decodeDisco(ping)).toEqual({ kind: 'ping', txId, nodeKey, padding: 5 })
  const pong: DiscoMessage = { kind: 'pong', txId, source: parseEndpoint('[::1]:7')! }
  expect(decodeDisco(Uint8Array.from([...encodeDisco(pong), 1, 2, 3]))).toEqual(pong)
})

test('a ping without node key is read, as very old senders write it', () => {
  expect(decodeDisco(hex(`0100 ${known.txId}`))).toEqual({ kind: 'ping', txId, padding: 0 })
})

test('a call-me-maybe that is ragged or of another version lists nothing', () => {
  for (const text of ['0300', '0300 00', `0301 ${'00'.repeat(18)}`, `0300 ${'00'.repeat(19)}`]) {
    expect(decodeDisco(hex(text))).toEqual({ kind: 'call-me-maybe', endpoints: [] })
  }
})

test('relay messages of another version, and allocations without an endpoint, are nothing', () => {
  expect(decodeDisco(hex(`07 01 ${allocation}`))).toBeUndefined()
  expect(decodeDisco(hex(`09 01 00000009 ${allocation}`))).toBeUndefined()
  expect(decodeDisco(hex(`08 01 ${'22'.repeat(64)} 00000009`))).toBeUndefined()
  expect(decodeDisco(hex(`07 00 ${allocation}`).subarray(0, 2 + 124))).toBeUndefined()
  expect(() => encodeDisco({ kind: 'call-me-maybe-via', ...relay, endpoints: [] })).toThrow('endpoints')
})

test('a magic and a key are disco for a socket, a whole header is disco for a relay, and a box must fit a tag', () => {
  const packet = hex(known.ping)
  expect(
    [37, 38, 61, 62].map((n) => [isDisco(packet.subarray(0, n)), looksLikeDisco(packet.subarray(0, n))]),
  ).toEqual([
    [false, false],
    [true, false],
    [true, false],
    [true, true],
  ])
  expect(decodeDiscoEnvelope(packet.subarray(0, DISCO_HEADER_LENGTH + 15))).toBeUndefined()
  packet[5]! ^= 1
  expect([isDisco(packet), looksLikeDisco(packet), decodeDiscoEnvelope(packet)]).toEqual([
    false,
    false,
    undefined,
  ])
})

test('wrong lengths are refused by name', () => {
  expect(() => encodeDisco({ kind: 'ping', txId: counting(8) })).toThrow('txId has 8 bytes')
  expect(() => encodeDisco({ kind: 'ping', txId, nodeKey: counting(31) })).toThrow('nodeKey has 31 bytes')
  expect(() => encodeDisco({ kind: 'pong', txId, source: { address: counting(3), port: 1 } })).toThrow(
    'address has 3 bytes',
  )
  expect(() =>
    encodeDiscoEnvelope({ senderDisco: counting(3), nonce: counting(24), box: counting(16) }),
  ).toThrow('senderDisco')
  expect(() =>
    encodeDiscoEnvelope({ senderDisco: counting(32), nonce: counting(12), box: counting(16) }),
  ).toThrow('nonce')
})
