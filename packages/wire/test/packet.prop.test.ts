import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type IcmpEcho,
  type IpPacket,
  checksumsOk,
  decodeIcmp,
  decodeIcmpEcho,
  decodeIpPacket,
  decodeTcp,
  decodeTcpOptions,
  decodeUdp,
  encodeIcmpEcho,
  encodeIpPacket,
  encodeTcpOptions,
  encodeTcpPacket,
  encodeUdpPacket,
  internetChecksum,
  ipTotalLength,
  pseudoHeaderSum,
  sumWords,
} from '../src/ip/index.ts'
import { bytes, survives, u16, u32, u8 } from './support.ts'

const data = fc.uint8Array({ maxLength: 100 })
/** Source and destination of one family. */
const pair = fc
  .constantFrom(4, 16)
  .chain((length) => fc.record({ source: bytes(length), destination: bytes(length) }))
/** Any protocol but the fragment header of IPv6, behind which a reader looks. */
const notFragment = u8.filter((protocol) => protocol !== 44)
const ports = fc.record({ sourcePort: u16, destinationPort: u16 })
const echo: fc.Arbitrary<IcmpEcho> = fc.record({
  kind: fc.constantFrom('request', 'reply'),
  identifier: u16,
  sequence: u16,
  data,
})
const options = fc.record(
  {
    maximumSegmentSize: u16,
    windowScale: fc.nat(14),
    sackPermitted: fc.constant(true),
    timestamps: fc.tuple(u32, u32),
    sack: fc.array(fc.tuple(u32, u32), { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: [] },
)
const tcp = fc.record({ sequence: u32, acknowledgment: u32, flags: u8, window: u16 })

const packet: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.tuple(pair, echo).map(([p, e]) => encodeIcmpEcho(p.source, p.destination, e)),
  fc
    .tuple(pair, ports, data)
    .map(([p, { sourcePort, destinationPort }, d]) =>
      encodeUdpPacket(
        { address: p.source, port: sourcePort },
        { address: p.destination, port: destinationPort },
        d,
      ),
    ),
  fc
    .tuple(pair, tcp, data)
    .map(([p, t, d]) =>
      encodeTcpPacket({ address: p.source, port: 1 }, { address: p.destination, port: 2 }, t, d),
    ),
  fc.tuple(pair, u8, data).map(([p, protocol, d]) => encodeIpPacket({ ...p, protocol }, d)),
)

test('the sum of a buffer is the sum of its ranges, and a checksum in place makes it zero', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 2, maxLength: 300 }), fc.nat(), (buffer, at) => {
      const middle = (at % buffer.length) & ~1
      const parts = sumWords(buffer, middle, buffer.length, sumWords(buffer, 0, middle))
      expect(parts).toBe(sumWords(buffer, 0, buffer.length))
      buffer[0] = buffer[1] = 0
      const checksum = internetChecksum(buffer)
      buffer[0] = checksum >> 8
      buffer[1] = checksum
      expect(internetChecksum(buffer)).toBe(0)
    }),
  )
})

test('the pseudo header sum is that of the layout in RFC 8200', () => {
  fc.assert(
    fc.property(bytes(16), bytes(16), u8, u16, (source, destination, protocol, length) => {
      const layout = Uint8Array.from([
        ...source,
        ...destination,
        0,
        0,
        length >> 8,
        length & 0xff,
        0,
        0,
        0,
        protocol,
      ])
      const sum = pseudoHeaderSum(source, destination, protocol, length)
      expect(internetChecksum(new Uint8Array(0), 0, 0, sum)).toBe(internetChecksum(layout))
    }),
  )
})

test('packets come back as they were written, claim the length they have, and sum up', () => {
  fc.assert(
    fc.property(pair, notFragment, data, ({ source, destination }, protocol, payload) => {
      const written = encodeIpPacket({ source, destination, protocol, hopLimit: 3 }, payload)
      expect(ipTotalLength(written)).toBe(written.length)
      const read = decodeIpPacket(written)!
      expect([read.source, read.destination, read.hopLimit]).toEqual([source, destination, 3])
      expect([read.protocol, read.payload]).toEqual([protocol, payload])
    }),
  )
})

test('echoes, UDP and TCP come back as they were written, over either family', () => {
  const read = (written: Uint8Array): IpPacket => {
    const ip = decodeIpPacket(written)!
    expect(checksumsOk(ip)).toBe(true)
    return ip
  }
  fc.assert(
    fc.property(pair, ports, echo, tcp, options, data, (p, { sourcePort, destinationPort }, e, t, o, d) => {
      const source = { address: p.source, port: sourcePort }
      const destination = { address: p.destination, port: destinationPort }
      expect(decodeIcmpEcho(read(encodeIcmpEcho(p.source, p.destination, e)))).toEqual(e)
      const udp = read(encodeUdpPacket(source, destination, d))
      expect(decodeUdp(udp.payload)).toMatchObject({ sourcePort, destinationPort, payload: d })
      expect(udp).toMatchObject({ sourcePort, destinationPort })
      const segment = read(encodeTcpPacket(source, destination, { ...t, options: encodeTcpOptions(o) }, d))
      const seen = decodeTcp(segment.payload)!
      expect(seen).toMatchObject({ sourcePort, destinationPort, ...t, payload: d })
      expect(decodeTcpOptions(seen.options)).toEqual(o)
      expect(segment.tcpFlags).toBe(t.flags)
    }),
  )
})

test('threat 18, 20, 21: damaged packets never throw, and no view reaches beyond them', () => {
  const everything = (damaged: Uint8Array): void => {
    ipTotalLength(damaged)
    const ip = decodeIpPacket(damaged)
    if (!ip) return
    expect(ip.totalLength).toBeLessThanOrEqual(damaged.length)
    expect(ip.payloadOffset).toBeLessThanOrEqual(ip.totalLength)
    checksumsOk(ip)
    decodeIcmpEcho(ip)
    decodeIcmp(ip.payload)
    decodeUdp(ip.payload)
    const segment = decodeTcp(ip.payload)
    if (segment) decodeTcpOptions(segment.options)
  }
  expect(survives(packet, everything)).toBe(true)
  expect(survives(options.map(encodeTcpOptions), decodeTcpOptions)).toBe(true)
})
