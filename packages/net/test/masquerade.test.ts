// A node that a peer knows by another address: what happens to packets on the way to it and back.
import {
  checksumsOk,
  decodeIpPacket,
  encodeIcmpEcho,
  encodeIpPacket,
  encodeTcpPacket,
  encodeUdpPacket,
  formatAddress,
  type IpAddress,
  IpPacket,
  internetChecksum,
  parseAddress,
  parsePrefix,
  PROTOCOL_ICMP,
  PROTOCOL_ICMPV6,
  PROTOCOL_TCP,
  pseudoHeaderSum,
  TCP_ACK,
} from '@mesh/wire/ip'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Masquerade } from '../src/masquerade.ts'
import { NO_TERMS, type PeerTerms, TermsTable } from '../src/peer-terms.ts'

const OWN = parseAddress('100.64.0.1')!
const OWN6 = parseAddress('fd7a:115c:a1e0::1')!
const SHOWN = parseAddress('100.99.7.200')!
const SHOWN6 = parseAddress('fd7a:115c:a1e0:ab12::9')!
const PEER = parseAddress('100.64.0.2')!
const PEER6 = parseAddress('fd7a:115c:a1e0::2')!
const OTHER = parseAddress('100.64.0.3')!

const udp = (from: IpAddress, to: IpAddress): Uint8Array =>
  encodeUdpPacket({ address: from, port: 9 }, { address: to, port: 53 }, Uint8Array.of(1, 2, 3))

const isRight = (packet: Uint8Array): boolean => checksumsOk(decodeIpPacket(packet)!)

/** What becomes of a packet (left alone) among other bytes. */
function pass(packet: Uint8Array, how: (view: IpPacket) => void): Uint8Array {
  const bytes = Uint8Array.of(0x45, 7, 7, ...packet, 0x99)
  const view = new IpPacket()
  expect(view.read(bytes, 3, packet.length)).toBe(true)
  how(view)
  expect([...bytes.subarray(0, 3), bytes.at(-1)]).toEqual([0x45, 7, 7, 0x99])
  return bytes.slice(3, -1)
}

function peerTerms(prefix: string, more: Partial<PeerTerms> = {}): PeerTerms {
  return { prefixes: [parsePrefix(prefix)!], shown: [], isJailed: false, ...more }
}

describe('D20: masquerade', () => {
  const masquerade = new Masquerade(OWN, SHOWN)
  const leave = (packet: Uint8Array): Uint8Array => pass(packet, (view) => masquerade.leave(view))
  const arrive = (packet: Uint8Array): Uint8Array => pass(packet, (view) => masquerade.arrive(view))

  test('shows the other address in place of the own, and takes packets to it for the own, as if nothing had been', () => {
    expect(leave(udp(OWN, PEER))).toEqual(udp(SHOWN, PEER))
    expect(arrive(udp(PEER, SHOWN))).toEqual(udp(PEER, OWN))
  })

  test('leaves alone what comes from or is for another address', () => {
    for (const packet of [udp(OTHER, PEER), udp(SHOWN, PEER)]) expect(leave(packet)).toEqual(packet)
    for (const packet of [udp(PEER, OWN), udp(PEER, OTHER)]) expect(arrive(packet)).toEqual(packet)
  })

  test('UDP without a checksum gets none, and one that comes to zero is written as ones', () => {
    const bare = udp(OWN, PEER)
    bare[26] = bare[27] = 0
    expect([...leave(bare).subarray(26, 28)]).toEqual([0, 0])
    // Two bytes of the payload can bring the sum to anything.
    for (let value = 0; value < 0x1_0000; value += 1) {
      const payload = Uint8Array.of(value >> 8, value & 0xff)
      const ends = [{ address: PEER, port: 53 }] as const
      const wanted = encodeUdpPacket({ address: SHOWN, port: 9 }, ends[0], payload)
      if (wanted[26] !== 0xff || wanted[27] !== 0xff) continue
      expect(leave(encodeUdpPacket({ address: OWN, port: 9 }, ends[0], payload))).toEqual(wanted)
      return
    }
    expect.unreachable('some payload has that sum')
  })

  test('of fragments the first has the checksum of all, and no other byte of the later ones changes', () => {
    const whole = udp(OWN, PEER)
    const later = encodeIpPacket({ source: OWN, destination: PEER, protocol: 17 }, new Uint8Array(40).fill(5))
    later[7] = 20
    const rewritten = leave(later)
    expect(rewritten.subarray(20)).toEqual(later.subarray(20))
    const first = Uint8Array.from(whole)
    first[6] = 0x20
    expect(leave(first).subarray(20)).toEqual(udp(SHOWN, PEER).subarray(20))
  })

  test('a transport header that is cut short is not written beyond', () => {
    for (let length = 0; length < 20; length += 1) {
      const header = { source: OWN, destination: PEER, protocol: PROTOCOL_TCP }
      const rewritten = leave(encodeIpPacket(header, new Uint8Array(length)))
      expect(rewritten.length).toBe(20 + length)
      expect(internetChecksum(rewritten, 0, 20)).toBe(0)
    }
  })

  test('an ICMP error finds the flow that it is about: the quoted packet is rewritten too, both ways', () => {
    const quoted = udp(SHOWN, PEER)
    const error = (from: IpAddress, to: IpAddress, about: Uint8Array): Uint8Array => {
      const message = Uint8Array.of(3, 3, 0, 0, 0, 0, 0, 0, ...about)
      const sum = internetChecksum(message)
      message.set([sum >> 8, sum & 0xff], 2)
      return encodeIpPacket({ source: from, destination: to, protocol: PROTOCOL_ICMP }, message)
    }
    const came = arrive(error(PEER, SHOWN, quoted))
    expect(isRight(came)).toBe(true)
    const inside = decodeIpPacket(came.subarray(28))!
    expect([formatAddress(inside.source), internetChecksum(came, 28, 48)]).toEqual(['100.64.0.1', 0])
    const went = leave(error(OWN, PEER, udp(PEER, OWN)))
    expect(isRight(went)).toBe(true)
    expect(formatAddress(decodeIpPacket(went.subarray(28))!.destination)).toBe('100.99.7.200')
    const short = error(PEER, SHOWN, quoted.subarray(0, 19))
    expect(arrive(short).subarray(20)).toEqual(short.subarray(20))
    const echo = encodeIcmpEcho(PEER, SHOWN, { kind: 'request', identifier: 1, sequence: 1, data: quoted })
    expect(arrive(echo).subarray(20)).toEqual(echo.subarray(20))
  })

  test('the same for ICMPv6, whose checksum has the addresses under it', () => {
    const six = new Masquerade(OWN6, SHOWN6)
    const message = Uint8Array.of(1, 4, 0, 0, 0, 0, 0, 0, ...udp(SHOWN6, PEER6))
    const sum = internetChecksum(
      message,
      0,
      message.length,
      pseudoHeaderSum(PEER6, SHOWN6, PROTOCOL_ICMPV6, message.length),
    )
    message.set([sum >> 8, sum & 0xff], 2)
    const header = { source: PEER6, destination: SHOWN6, protocol: PROTOCOL_ICMPV6 }
    const came = pass(encodeIpPacket(header, message), (view) => six.arrive(view))
    expect(isRight(came)).toBe(true)
    const inside = decodeIpPacket(came.subarray(48))!
    expect([inside.source, decodeIpPacket(came)!.destination]).toEqual([OWN6, OWN6])
  })
})

describe('checksums after a rewrite', () => {
  const address = (length: number): fc.Arbitrary<Uint8Array> =>
    fc.uint8Array({ minLength: length, maxLength: length })
  const addresses = fc
    .constantFrom(4, 16)
    .chain((length) => fc.tuple(address(length), address(length), address(length)))
  const port = fc.nat(0xffff)

  test('are what a sum over all of the packet says, for any addresses and payload, out and in', () => {
    fc.assert(
      fc.property(
        addresses,
        port,
        port,
        fc.uint8Array({ maxLength: 64 }),
        fc.constantFrom('tcp', 'udp', 'echo'),
        ([own, shown, peer], a, b, data, kind) => {
          const make = (from: Uint8Array, to: Uint8Array): Uint8Array => {
            const ends = [
              { address: from, port: a },
              { address: to, port: b },
            ] as const
            if (kind === 'udp') return encodeUdpPacket(...ends, data)
            if (kind === 'echo')
              return encodeIcmpEcho(from, to, { kind: 'request', identifier: a, sequence: b, data })
            const header = { sequence: a, acknowledgment: b, flags: TCP_ACK, window: 9 }
            return encodeTcpPacket(...ends, header, data)
          }
          const masquerade = new Masquerade(own, shown)
          expect(pass(make(own, peer), (view) => masquerade.leave(view))).toEqual(make(shown, peer))
          expect(pass(make(peer, shown), (view) => masquerade.arrive(view))).toEqual(make(peer, own))
        },
      ),
      { numRuns: 2_000 },
    )
  })

  test('are wrong where they were wrong, for whatever bytes a peer makes of a packet', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 40, maxLength: 120 }), fc.nat(), (bytes, at) => {
        const packet = udp(PEER, SHOWN).slice()
        const damaged = Uint8Array.from([...packet, ...bytes])
        damaged[at % damaged.length] = bytes[0]!
        const view = new IpPacket()
        if (!view.read(damaged)) return
        const before = checksumsOk(view)
        new Masquerade(OWN, SHOWN).arrive(view)
        expect(view.read(damaged)).toBe(true)
        expect(checksumsOk(view)).toBe(before)
      }),
      { numRuns: 2_000 },
    )
  })
})

describe('terms of peers', () => {
  const special = peerTerms('100.64.0.2/32', { shown: [SHOWN6, SHOWN], isJailed: true })
  const leave = (table: TermsTable | undefined, packet: Uint8Array): Uint8Array =>
    pass(packet, (view) => table?.leave(view))

  test('cost nothing where there are none', () => {
    expect(TermsTable.of(NO_TERMS)).toBeUndefined()
  })

  test('hold for the peer with the longest prefix around the remote address', () => {
    const peers = [peerTerms('100.64.0.0/10', { shown: [SHOWN] }), peerTerms('100.64.0.3/32')]
    const table = TermsTable.of({ own: [OWN], peers })
    expect(leave(table, udp(OWN, PEER))).toEqual(udp(SHOWN, PEER))
    expect(leave(table, udp(OWN, OTHER))).toEqual(udp(OWN, OTHER))
    expect(leave(table, udp(OWN, Uint8Array.of(8, 8, 8, 8)))).toEqual(udp(OWN, Uint8Array.of(8, 8, 8, 8)))
  })

  test('of one family say nothing of the other, nor where this node has no address of that family', () => {
    const both = {
      ...special,
      prefixes: [parsePrefix('100.64.0.2/32')!, parsePrefix('fd7a:115c:a1e0::2/128')!],
    }
    const four = TermsTable.of({ own: [OWN, OWN6], peers: [{ ...both, shown: [SHOWN] }] })
    expect(leave(four, udp(OWN6, PEER6))).toEqual(udp(OWN6, PEER6))
    const six = TermsTable.of({ own: [OWN], peers: [{ ...both, shown: [SHOWN6] }] })
    expect(leave(six, udp(OWN, PEER))).toEqual(udp(OWN, PEER))
    expect(leave(six, udp(OWN6, PEER6))).toEqual(udp(OWN6, PEER6))
  })

  test('say who may only answer', () => {
    const table = TermsTable.of({ own: [OWN], peers: [special, peerTerms('100.64.0.3/32')] })!
    const isJailed = (from: IpAddress): boolean => table.isJailed(decodeIpPacket(udp(from, OWN))!)
    expect([PEER, OTHER, SHOWN].map(isJailed)).toEqual([true, false, false])
  })
})
