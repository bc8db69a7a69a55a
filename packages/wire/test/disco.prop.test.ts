import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type DiscoMessage,
  decodeDisco,
  decodeDiscoEnvelope,
  encodeDisco,
  encodeDiscoEnvelope,
  isDisco,
} from '../src/disco/index.ts'
import { bytes, endpoint, survives, u24, u32 } from './support.ts'

const key = bytes(32)
const txId = bytes(12)
const keys = fc.tuple(key, key)
const handshake = { vni: u24, generation: u32, remoteDisco: key, challenge: key }
const allocation = {
  serverDisco: key,
  clientDisco: keys,
  lamportId: fc.bigInt(0n, 2n ** 64n - 1n),
  vni: u24,
  bindLifetime: u32,
  steadyStateLifetime: u32,
  endpoints: fc.array(endpoint, { minLength: 1, maxLength: 5 }),
}

const message: fc.Arbitrary<DiscoMessage> = fc.oneof(
  fc.record({ kind: fc.constant('ping'), txId, nodeKey: key, padding: fc.nat(1200) }),
  fc.record({ kind: fc.constant('pong'), txId, source: endpoint }),
  fc.record({ kind: fc.constant('call-me-maybe'), endpoints: fc.array(endpoint, { maxLength: 8 }) }),
  fc.record({ kind: fc.constantFrom('relay-bind', 'relay-challenge', 'relay-answer'), ...handshake }),
  fc.record({ kind: fc.constant('call-me-maybe-via'), ...allocation }),
  fc.record({ kind: fc.constant('allocate-request'), clientDisco: keys, generation: u32 }),
  fc.record({ kind: fc.constant('allocate-response'), generation: u32, ...allocation }),
  endpoint.map(({ address, port }) => ({ kind: 'doors-offer', address, doors: port }) as const),
  fc.record({ kind: fc.constant('doors-accept'), endpoint }),
)

/** The plaintext's length, after the two bytes of type and version, as the catalogue gives it. */
function lengthOf(m: DiscoMessage): number {
  switch (m.kind) {
    case 'ping':
      return 12 + 32 + (m.padding ?? 0)
    case 'pong':
      return 30
    case 'call-me-maybe':
      return 18 * m.endpoints.length
    case 'relay-bind':
    case 'relay-challenge':
    case 'relay-answer':
      return 72
    case 'call-me-maybe-via':
      return 124 + 18 * m.endpoints.length
    case 'allocate-request':
      return 68
    case 'allocate-response':
      return 128 + 18 * m.endpoints.length
    case 'doors-offer':
    case 'doors-accept':
      return 18
  }
}

test('D1: every message comes back as it was written, with the length of the catalogue', () => {
  fc.assert(
    fc.property(message, (m) => {
      const plaintext = encodeDisco(m)
      expect(decodeDisco(plaintext)).toEqual(m)
      expect(plaintext.length).toBe(2 + lengthOf(m))
    }),
  )
})

const envelope = fc.record({
  senderDisco: key,
  nonce: bytes(24),
  box: fc.uint8Array({ minLength: 16, maxLength: 200 }),
})

test('envelopes come back as they were written', () => {
  fc.assert(
    fc.property(envelope, (e) => {
      const datagram = encodeDiscoEnvelope(e)
      expect(decodeDiscoEnvelope(datagram)).toEqual(e)
      expect(datagram.length).toBe(62 + e.box.length)
      expect(isDisco(datagram)).toBe(true)
    }),
  )
})

test('damaged messages and envelopes never throw', () => {
  expect(survives(message.map(encodeDisco), decodeDisco)).toBe(true)
  expect(survives(envelope.map(encodeDiscoEnvelope), decodeDiscoEnvelope)).toBe(true)
})
