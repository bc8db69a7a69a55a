import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  GENEVE_DISCO,
  GENEVE_WIREGUARD,
  decodeGeneve,
  encodeGeneve,
  encodeGeneveHeader,
  geneveVni,
  isGeneve,
  isGeneveControl,
} from '../src/geneve/index.ts'
import { PROTOCOL_TSMP, decodeIpPacket, encodeIpPacket, parseAddress } from '../src/ip/index.ts'
import { TSMP_REASONS, type TsmpMessage, decodeTsmp, encodeTsmp } from '../src/tsmp/index.ts'
import { bytes, hex, survives, toHex, u16, u24, u8, vectors } from './support.ts'

test('D18: the Geneve headers of appendix A.4 are written byte for byte and read', () => {
  const { vni, discoControl, wireguard } = vectors.geneve
  expect(toHex(encodeGeneveHeader({ protocol: GENEVE_DISCO, control: true, vni }))).toBe(discoControl)
  expect(toHex(encodeGeneveHeader({ protocol: GENEVE_WIREGUARD, control: false, vni }))).toBe(wireguard)
  expect(decodeGeneve(hex(discoControl))).toMatchObject({ protocol: GENEVE_DISCO, control: true, vni })
  expect([geneveVni(hex(discoControl)), isGeneveControl(hex(discoControl))]).toEqual([vni, true])
  expect([geneveVni(hex(wireguard)), isGeneveControl(hex(wireguard))]).toEqual([vni, false])
})

test.each([
  ['version 1', '40007a1201020300'],
  ['a reserved flag', '00017a1201020300'],
  ['a reserved last byte', '00007a1201020301'],
  ['another protocol', '0000655801020300'],
  ['seven bytes', '00007a12010203'],
])('a header with %s is not Geneve', (_, text) => {
  expect(isGeneve(hex(text))).toBe(false)
  expect(decodeGeneve(hex(text))).toBeUndefined()
})

test('WireGuard, disco and STUN are not Geneve', () => {
  for (const other of [
    vectors.wireguard.initiation,
    vectors.wireguard.data,
    vectors.disco.ping,
    vectors.stun.request,
  ]) {
    expect(isGeneve(hex(other))).toBe(false)
  }
})

const geneve = fc.record({
  protocol: fc.constantFrom(GENEVE_DISCO, GENEVE_WIREGUARD),
  control: fc.boolean(),
  vni: u24,
  payload: fc.uint8Array({ maxLength: 100 }),
})

test('Geneve packets come back as they were written, and damaged ones never throw', () => {
  fc.assert(
    fc.property(geneve, (packet) => {
      const datagram = encodeGeneve(packet)
      expect(decodeGeneve(datagram)).toEqual(packet)
      expect(datagram.length).toBe(8 + packet.payload.length)
    }),
  )
  expect(survives(geneve.map(encodeGeneve), decodeGeneve)).toBe(true)
})

test('W18: the disco advertisement of appendix A.4 is written byte for byte, IP header included', () => {
  const { source, destination, discoKey, packet } = vectors.tsmp
  const body = encodeTsmp({ kind: 'disco-key', discoKey: hex(discoKey) })
  const header = {
    source: parseAddress(source)!,
    destination: parseAddress(destination)!,
    protocol: PROTOCOL_TSMP,
  }
  expect(toHex(encodeIpPacket(header, body))).toBe(packet)
  expect(decodeTsmp(decodeIpPacket(hex(packet))!.payload)).toEqual({
    kind: 'disco-key',
    discoKey: hex(discoKey),
  })
})

test('F4: a refusal has the ports of the flow refused', () => {
  const message: TsmpMessage = {
    kind: 'rejected',
    protocol: 6,
    reason: TSMP_REASONS.shieldsUp,
    sourcePort: 0x1234,
    destinationPort: 22,
    maybeBroken: true,
  }
  expect(encodeTsmp(message)).toEqual(hex('21 06 53 1234 0016 01'))
  expect(decodeTsmp(hex('21 06 53 1234 0016'))).toEqual({ ...message, maybeBroken: false })
})

test('F6: a ping and its pong', () => {
  expect(encodeTsmp({ kind: 'ping', data: hex('0102030405060708') })).toEqual(hex('70 0102030405060708'))
  expect(encodeTsmp({ kind: 'pong', data: hex('0102030405060708'), peerApiPort: 443 })).toEqual(
    hex('6f 0102030405060708 01bb'),
  )
})

const tsmp: fc.Arbitrary<TsmpMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('rejected'),
    protocol: u8,
    reason: u8.map((code) => String.fromCharCode(code)),
    sourcePort: u16,
    destinationPort: u16,
    maybeBroken: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('ping'), data: bytes(8) }),
  fc.record({ kind: fc.constant('pong'), data: bytes(8), peerApiPort: u16 }),
  fc.record({ kind: fc.constant('disco-key'), discoKey: bytes(32) }),
)
const TSMP_LENGTHS = { rejected: 8, ping: 9, pong: 11, 'disco-key': 33 }

test('TSMP messages come back as they were written, and damaged ones never throw', () => {
  fc.assert(
    fc.property(tsmp, (message) => {
      expect(decodeTsmp(encodeTsmp(message))).toEqual(message)
      expect(encodeTsmp(message).length).toBe(TSMP_LENGTHS[message.kind])
    }),
  )
  expect(survives(tsmp.map(encodeTsmp), decodeTsmp)).toBe(true)
})

test('TSMP fields of a wrong length are refused by name', () => {
  expect(() => encodeTsmp({ kind: 'ping', data: bytes7 })).toThrow('data has 7 bytes')
  expect(() => encodeTsmp({ kind: 'disco-key', discoKey: bytes7 })).toThrow('discoKey has 7 bytes')
  expect(() =>
    encodeTsmp({
      kind: 'rejected',
      protocol: 6,
      reason: 'no',
      sourcePort: 1,
      destinationPort: 1,
      maybeBroken: false,
    }),
  ).toThrow('reason')
})
const bytes7 = new Uint8Array(7)
