import { expect, test } from 'vitest'
import {
  IpPacket,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  PROTOCOL_TSMP,
  PROTOCOL_UDP,
  TCP_ACK,
  TCP_SYN,
  checksumsOk,
  decodeIcmp,
  decodeIcmpEcho,
  decodeIpPacket,
  decodeTcp,
  decodeTcpOptions,
  decodeUdp,
  encodeIcmpEcho,
  encodeIcmpPortUnreachable,
  encodeIpPacket,
  encodeTcpOptions,
  encodeTcpPacket,
  encodeUdpPacket,
  formatAddress,
  internetChecksum,
  ipTotalLength,
  parseAddress,
  parseEndpoint,
} from '../src/ip/index.ts'
import { counting, hex, toHex } from './support.ts'

const a4 = parseAddress('100.64.0.1')!
const b4 = parseAddress('100.64.0.2')!
const a6 = parseAddress('fd7a:115c:a1e0::1')!
const b6 = parseAddress('fd7a:115c:a1e0::2')!
const from = parseEndpoint('100.64.0.1:1000')!
const to = parseEndpoint('100.64.0.2:53')!

test('the checksum of RFC 1071 section 3, over a range of a larger buffer', () => {
  const words = hex('aaaa 0001 f203 f4f5 f6f7 bbbb')
  expect(internetChecksum(words, 2, 10)).toBe(~0xddf2 & 0xffff)
  expect(internetChecksum(hex('01'))).toBe(0xfeff)
  expect(internetChecksum(new Uint8Array(65_535).fill(0xff))).toBe(0x00ff)
})

test('a ping as a kernel writes it is read', () => {
  const packet = hex(`
    4500 0054 1234 4000 40 01 5ff2 6440 0001 6440 0002 // IPv4, don't fragment, TTL 64, ICMP
    0800 f7f7 0001 0007                                // echo request, id 1, sequence 7
    ${'00'.repeat(56)}`)
  const read = decodeIpPacket(packet)!
  expect(read).toMatchObject({
    version: 4,
    protocol: PROTOCOL_ICMP,
    payloadOffset: 20,
    totalLength: 84,
    hopLimit: 64,
    icmpType: 8,
    known: true,
  })
  expect([formatAddress(read.source), formatAddress(read.destination)]).toEqual(['100.64.0.1', '100.64.0.2'])
  expect(decodeIcmpEcho(read)).toEqual({
    kind: 'request',
    identifier: 1,
    sequence: 7,
    data: new Uint8Array(56),
  })
  expect(checksumsOk(read)).toBe(true)
})

test('the layout of an echo over IPv4 and over IPv6', () => {
  const echo = { kind: 'request', identifier: 0x1234, sequence: 1, data: hex('abcd') } as const
  expect(encodeIcmpEcho(a4, b4, echo)).toEqual(
    hex(`45 00 001e 0000 0000 40 01 b25c 64400001 64400002 // header, checksum
         08 00 39fd 1234 0001 abcd`),
  )
  const v6 = encodeIcmpEcho(a6, b6, { ...echo, kind: 'reply' })
  expect(toHex(v6.subarray(0, 8))).toBe('60000000000a3a40')
  expect(toHex(v6.subarray(40, 42))).toBe('8100')
  expect(checksumsOk(decodeIpPacket(v6)!)).toBe(true)
})

test('the layout of a UDP packet', () => {
  expect(encodeUdpPacket(from, to, hex('0102'))).toEqual(
    hex(`45 00 001e 0000 0000 40 11 b24c 64400001 64400002
         03e8 0035 000a 3238 0102`),
  )
})

test('a UDP checksum that comes out as zero is sent as all ones', () => {
  const packet = encodeUdpPacket(from, to, hex('0000'))
  const checksum = decodeUdp(decodeIpPacket(packet)!.payload)!.checksum
  const zero = encodeUdpPacket(from, to, Uint8Array.of(checksum >> 8, checksum & 0xff))
  expect(decodeUdp(decodeIpPacket(zero)!.payload)?.checksum).toBe(0xffff)
  expect(checksumsOk(decodeIpPacket(zero)!)).toBe(true)
})

test('the layout of a SYN with the options of today', () => {
  const options = encodeTcpOptions({
    maximumSegmentSize: 1240,
    windowScale: 7,
    sackPermitted: true,
    timestamps: [1, 0],
  })
  expect(options).toEqual(hex('0204 04d8 0303 07 0402 080a 00000001 00000000 01'))
  const packet = encodeTcpPacket(from, to, {
    sequence: 0xfffffffe,
    acknowledgment: 0,
    flags: TCP_SYN,
    window: 65_535,
    options,
  })
  const read = decodeIpPacket(packet)!
  expect(read).toMatchObject({ sourcePort: 1000, destinationPort: 53, tcpFlags: TCP_SYN, known: true })
  expect(toHex(read.payload.subarray(0, 16))).toBe('03e80035fffffffe00000000a002ffff')
  expect(decodeTcpOptions(decodeTcp(read.payload)!.options)).toEqual({
    maximumSegmentSize: 1240,
    windowScale: 7,
    sackPermitted: true,
    timestamps: [1, 0],
  })
  expect(checksumsOk(read)).toBe(true)
})

test('options cut short, unknown, or of a wrong length are passed over', () => {
  expect(decodeTcpOptions(hex('01 01 fe04aaaa 0204 05b4 00 0303 07'))).toEqual({ maximumSegmentSize: 1460 })
  expect(decodeTcpOptions(hex('0204 05'))).toEqual({})
  expect(decodeTcpOptions(hex('0200'))).toEqual({})
  expect(decodeTcpOptions(hex('02'))).toEqual({})
  expect(decodeTcpOptions(hex('0303 ff'))).toEqual({ windowScale: 14 })
  expect(decodeTcpOptions(hex('050a 00000001 00000002'))).toEqual({ sack: [[1, 2]] })
  expect(() =>
    encodeTcpPacket(from, to, {
      sequence: 0,
      acknowledgment: 0,
      flags: TCP_ACK,
      window: 0,
      options: counting(3),
    }),
  ).toThrow('options')
})

test('W13: what lies beyond the length in the header is padding', () => {
  const packet = encodeUdpPacket(from, to, counting(5))
  const padded = new Uint8Array(48)
  padded.set(packet)
  expect(ipTotalLength(padded)).toBe(packet.length)
  expect(decodeUdp(decodeIpPacket(padded)!.payload)?.payload).toEqual(counting(5))
})

test('W13: a length beyond the packet, or less than the header, is no packet', () => {
  const packet = encodeUdpPacket(from, to, counting(5))
  expect(decodeIpPacket(packet.subarray(0, -1))).toBeUndefined()
  expect(ipTotalLength(packet.subarray(0, -1))).toBe(packet.length)
  expect(ipTotalLength(packet.with(3, 19))).toBe(-1)
  expect(decodeIpPacket(packet.with(0, 0x44))).toBeUndefined()
  expect(decodeIpPacket(packet.with(0, 0x4f))).toBeUndefined()
  expect(decodeIpPacket(packet.with(0, 0x55))).toBeUndefined()
  for (const bad of ['', '45', '60'.padEnd(78, '0')]) {
    expect(decodeIpPacket(hex(bad))).toBeUndefined()
    expect(ipTotalLength(hex(bad))).toBe(-1)
  }
})

const header = { source: a4, destination: b4, protocol: PROTOCOL_UDP }
const v6header = { source: a6, destination: b6, protocol: PROTOCOL_UDP }

/** An IPv4 packet with its fragment field set. */
function fragmentOf(protocol: number, payload: Uint8Array, field: number): IpPacket {
  const packet = encodeIpPacket({ ...header, protocol }, payload)
  packet[6] = field >> 8
  packet[7] = field
  return decodeIpPacket(packet)!
}

test('threat 20: a transport header cut short is not known', () => {
  for (const [protocol, whole] of [
    [PROTOCOL_ICMP, 4],
    [2, 8],
    [PROTOCOL_TCP, 20],
    [PROTOCOL_UDP, 8],
    [PROTOCOL_TSMP, 7],
    [132, 12],
  ] as const) {
    const known = [whole - 1, whole].map(
      (n) => decodeIpPacket(encodeIpPacket({ ...header, protocol }, new Uint8Array(n)))?.known,
    )
    expect(known).toEqual([false, true])
  }
  expect(decodeIpPacket(encodeIpPacket({ ...header, protocol: 47 }, new Uint8Array(0)))?.known).toBe(true)
  expect(decodeIpPacket(encodeIpPacket({ ...header, protocol: 255 }, new Uint8Array(64)))?.known).toBe(false)
})

test('threat 20: the ICMP of the other family has no type, and is no echo', () => {
  for (const [own, protocol] of [
    [header, PROTOCOL_ICMPV6],
    [v6header, PROTOCOL_ICMP],
  ] as const) {
    const read = decodeIpPacket(encodeIpPacket({ ...own, protocol }, hex('0800 f7ff 0000 0000')))!
    expect([read.icmpType, decodeIcmpEcho(read)]).toEqual([-1, undefined])
  }
})

test('threat 20: a later fragment is known only from 80 bytes on, and has no ports', () => {
  const later = (blocks: number): IpPacket => fragmentOf(PROTOCOL_UDP, counting(8), blocks)
  expect([later(1).known, later(9).known, later(10).known]).toEqual([false, false, true])
  expect(later(10)).toMatchObject({
    fragmentOffset: 80,
    sourcePort: 0,
    destinationPort: 0,
    moreFragments: false,
  })
  const first = fragmentOf(PROTOCOL_UDP, counting(8), 0x2000)
  expect(first).toMatchObject({
    moreFragments: true,
    known: true,
    sourcePort: 0x0001,
    destinationPort: 0x0203,
  })
  expect(fragmentOf(PROTOCOL_TSMP, counting(64), 0x2000).known).toBe(false)
})

test('threat 20: of IPv6 extension headers only one fragment header is understood', () => {
  const udp = counting(8)
  const inFragment = decodeIpPacket(
    encodeIpPacket(
      { ...v6header, protocol: 44 },
      Uint8Array.from([PROTOCOL_UDP, 0, 0, 1, 0, 0, 0, 9, ...udp]),
    ),
  )!
  expect(inFragment).toMatchObject({
    protocol: PROTOCOL_UDP,
    payloadOffset: 48,
    moreFragments: true,
    fragmentOffset: 0,
    sourcePort: 0x0001,
    known: true,
  })
  for (const extension of [0, 43, 50, 51, 60, 135, 139, 140]) {
    const packet = encodeIpPacket(
      { ...v6header, protocol: extension },
      Uint8Array.from([PROTOCOL_UDP, 0, 0, 0, 0, 0, 0, 0, ...udp]),
    )
    expect(decodeIpPacket(packet)).toMatchObject({ protocol: extension, known: false, sourcePort: 0 })
  }
  const twice = encodeIpPacket(
    { ...v6header, protocol: 44 },
    Uint8Array.from([44, 0, 0, 0, 0, 0, 0, 0, ...udp]),
  )
  expect(decodeIpPacket(twice)?.known).toBe(false)
  const cut = decodeIpPacket(encodeIpPacket({ ...v6header, protocol: 44 }, counting(7)))!
  expect([cut.known, cut.payload.length]).toEqual([false, 7])
})

test('one view reads packet after packet and keeps nothing of the last', () => {
  const view = new IpPacket()
  view.read(encodeTcpPacket(from, to, { sequence: 1, acknowledgment: 2, flags: TCP_ACK, window: 3 }))
  expect(view).toMatchObject({ tcpFlags: TCP_ACK, sourcePort: 1000, icmpType: -1 })
  view.read(encodeIcmpEcho(a6, b6, { kind: 'reply', identifier: 1, sequence: 1, data: counting(0) }))
  expect(view).toMatchObject({
    version: 6,
    protocol: PROTOCOL_ICMPV6,
    tcpFlags: 0,
    sourcePort: 0,
    icmpType: 129,
  })
  expect(view.read(hex('00'))).toBe(false)
  expect(view.known).toBe(false)
})

test('a packet is read where it lies, and nothing around it', () => {
  const read = (packet: Uint8Array, length = packet.length): IpPacket | undefined => {
    const view = new IpPacket()
    return view.read(Uint8Array.of(0x60, 0x45, ...packet, 1, 2), 2, length) ? view : undefined
  }
  const echo = { kind: 'request', identifier: 7, sequence: 1, data: counting(5) } as const
  for (const [source, destination] of [
    [a4, b4],
    [a6, b6],
  ] as const) {
    const packet = encodeIcmpEcho(source, destination, echo)
    const view = read(packet)!
    expect([view.source, view.destination]).toEqual([source, destination])
    expect(decodeIcmpEcho(view)).toEqual(echo)
    expect(checksumsOk(view)).toBe(true)
    expect([view.isFor(destination), view.isFor(source), view.isFor(Uint8Array.of())]).toEqual([
      true,
      false,
      false,
    ])
    expect(decodeIcmp(decodeIpPacket(encodeIcmpPortUnreachable(view))!.payload)!.body.subarray(4)).toEqual(
      packet,
    )
    // What it claims is behind it is not its own.
    expect(read(packet, packet.length - 1)).toBeUndefined()
  }
  const fragment = read(
    encodeIpPacket(
      { ...v6header, protocol: 44 },
      Uint8Array.from([PROTOCOL_UDP, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 8, 0, 0]),
    ),
  )
  expect(fragment).toMatchObject({ known: true, sourcePort: 1, destinationPort: 2, moreFragments: true })
  expect(read(new Uint8Array(0))).toBeUndefined()
})

test('a wrong checksum is seen wherever it is', () => {
  const packets = [
    encodeUdpPacket(from, to, counting(5)),
    encodeTcpPacket(from, to, { sequence: 1, acknowledgment: 2, flags: TCP_ACK, window: 3 }, counting(7)),
    encodeIcmpEcho(a4, b4, { kind: 'request', identifier: 1, sequence: 1, data: counting(3) }),
    encodeIcmpEcho(a6, b6, { kind: 'request', identifier: 1, sequence: 1, data: counting(3) }),
  ]
  for (const packet of packets) {
    const last = packet.length - 1
    expect(checksumsOk(decodeIpPacket(packet)!)).toBe(true)
    expect(checksumsOk(decodeIpPacket(packet.with(last, packet[last]! ^ 1))!)).toBe(false)
  }
  expect(checksumsOk(decodeIpPacket(packets[0]!.with(8, 63))!)).toBe(false)
})

test('UDP without a checksum passes over IPv4 and not over IPv6', () => {
  const udp = hex('03e8 0035 000a 0000 0102')
  expect(checksumsOk(decodeIpPacket(encodeIpPacket(header, udp))!)).toBe(true)
  expect(checksumsOk(decodeIpPacket(encodeIpPacket(v6header, udp))!)).toBe(false)
  expect(checksumsOk(decodeIpPacket(encodeIpPacket(header, udp.subarray(0, 7)))!)).toBe(false)
})

test('a closed port answers with port unreachable that quotes the packet', () => {
  const asked = encodeUdpPacket(from, to, counting(5))
  const answer = decodeIpPacket(encodeIcmpPortUnreachable(decodeIpPacket(asked)!))!
  expect([formatAddress(answer.source), formatAddress(answer.destination)]).toEqual([
    '100.64.0.2',
    '100.64.0.1',
  ])
  expect(decodeIcmp(answer.payload)).toEqual({
    type: 3,
    code: 3,
    body: Uint8Array.from([0, 0, 0, 0, ...asked]),
  })
  expect(checksumsOk(answer)).toBe(true)
  const long = encodeUdpPacket({ ...from, address: a6 }, { ...to, address: b6 }, new Uint8Array(1400))
  const answer6 = decodeIpPacket(encodeIcmpPortUnreachable(decodeIpPacket(long)!))!
  expect([answer6.icmpType, answer6.totalLength, checksumsOk(answer6)]).toEqual([1, 1280, true])
})

test('an echo is not read from a fragment, another protocol, or the wrong family', () => {
  const echo = { kind: 'request', identifier: 1, sequence: 1, data: counting(0) } as const
  const packet = encodeIcmpEcho(a4, b4, echo)
  expect(decodeIcmpEcho(decodeIpPacket(packet.with(6, 0x20))!)).toBeUndefined()
  expect(decodeIcmpEcho(decodeIpPacket(packet.with(9, PROTOCOL_ICMPV6))!)).toBeUndefined()
  expect(decodeIcmpEcho(decodeIpPacket(packet.with(20, 13))!)).toBeUndefined()
  expect(decodeIcmpEcho(decodeIpPacket(packet.with(21, 1))!)).toBeUndefined()
})

test('families that differ and packets too long are refused by name', () => {
  expect(() => encodeIpPacket({ ...header, destination: b6 }, counting(1))).toThrow(
    'source and destination must have 4 bytes each',
  )
  expect(() => encodeIpPacket({ ...v6header, destination: b4 }, counting(1))).toThrow('16 bytes')
  expect(() => encodeIpPacket(header, new Uint8Array(65_516))).toThrow('65536 bytes')
  expect(encodeIpPacket(header, new Uint8Array(65_515)).length).toBe(65_535)
  expect(() => encodeIpPacket(v6header, new Uint8Array(65_536))).toThrow('65536')
})
