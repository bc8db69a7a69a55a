import { ACCEPT, CHANGED, DROP, UP, type Verdict } from '@mesh/wireguard/arena'
import {
  encodeIcmpEcho,
  encodeIpPacket,
  encodeTcpPacket,
  encodeUdpPacket,
  parseAddress,
  parsePrefix,
  type Prefix,
  PROTOCOL_TSMP,
  TCP_ACK,
  TCP_SYN,
} from '@mesh/wire/ip'
import { encodeTsmp } from '@mesh/wire/tsmp'
import { beforeEach, describe, expect, test } from 'vitest'
import { createJudge } from '../src/node/packet-judge.ts'
import { GateDrops, PacketGate } from '../src/index.ts'

const A = parseAddress('100.64.0.1')!
const B = parseAddress('100.64.0.2')!
const B6 = parseAddress('fd7a:115c:a1e0::2')!
const A6 = parseAddress('fd7a:115c:a1e0::1')!
const SERVICE = parseAddress('100.100.100.100')!
const ALL = [{ SrcIPs: ['*'], DstPorts: [{ IP: '*', Ports: { First: 0, Last: 65_535 } }] }]

const echo = (kind: 'request' | 'reply', from: Uint8Array, to: Uint8Array): Uint8Array =>
  encodeIcmpEcho(from, to, { kind, identifier: 1, sequence: 1, data: new Uint8Array(8) })
const tcp = (flags: number, from = B, to = A): Uint8Array =>
  encodeTcpPacket(
    { address: from, port: 9 },
    { address: to, port: 80 },
    { sequence: 1, acknowledgment: 0, flags, window: 9 },
  )
const udp = (from: Uint8Array, fromPort: number, to: Uint8Array, toPort: number): Uint8Array =>
  encodeUdpPacket({ address: from, port: fromPort }, { address: to, port: toPort }, new Uint8Array(3))
const tsmp = (from: Uint8Array, to: Uint8Array): Uint8Array =>
  encodeIpPacket(
    { source: from, destination: to, protocol: PROTOCOL_TSMP },
    encodeTsmp({ kind: 'ping', data: new Uint8Array(8) }),
  )

let gate: PacketGate

/** The verdict on a packet among other bytes, as the gate is shown it. */
const fromHost = (packet: Uint8Array): Verdict =>
  gate.fromOverlay(Uint8Array.of(0x45, ...packet, 0), 1, packet.length)
const fromPeer = (packet: Uint8Array): Verdict | typeof CHANGED =>
  gate.toOverlay(Uint8Array.of(0x45, ...packet, 0), 1, packet.length)

beforeEach(() => {
  gate = new PacketGate()
  gate.configure({
    localPrefixes: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128'],
    ownAddresses: [A, A6, SERVICE],
  })
})

describe('what the host sends', () => {
  test('goes out, but for what is for this node or the service address: that goes up (F7)', () => {
    expect(fromHost(udp(A, 1, B, 2))).toBe(ACCEPT)
    for (const own of [A, SERVICE]) expect(fromHost(udp(A, 1, own, 53))).toBe(UP)
    expect(fromHost(udp(A6, 1, A6, 53))).toBe(UP)
    expect(fromHost(udp(A6, 1, B6, 53))).toBe(ACCEPT)
  })

  test('F6: may not be TSMP', () => {
    expect(fromHost(tsmp(A, B))).toBe(DROP)
    expect(gate.drops.snapshot()['tsmp-from-host']).toBe(1)
  })

  test('is dropped and counted when it is no packet, or for a multicast group', () => {
    expect(fromHost(new Uint8Array(3))).toBe(DROP)
    expect(fromHost(udp(A, 1, Uint8Array.of(224, 0, 0, 251), 5353))).toBe(DROP)
    expect(gate.drops.snapshot()).toMatchObject({ malformed: 1, multicast: 1 })
  })

  test('may be a super-packet: its length is more than one packet’s, its headers are one’s', () => {
    const payload = new Uint8Array(40_000)
    const header = { source: A, destination: B, protocol: 6 }
    const packet = encodeIpPacket(header, payload)
    packet[32] = 0x50
    expect(fromHost(packet)).toBe(ACCEPT)
  })
})

describe('what a peer sends', () => {
  test('F3: needs a rule, an outbound flow that it answers, or an established connection', () => {
    expect(fromPeer(udp(B, 2, A, 1))).toBe(DROP)
    expect(fromPeer(tcp(TCP_ACK))).toBe(ACCEPT)
    fromHost(udp(A, 1, B, 2))
    expect(fromPeer(udp(B, 2, A, 1))).toBe(ACCEPT)
    gate.configure({ rules: ALL })
    expect(fromPeer(udp(B, 2, A, 99))).toBe(ACCEPT)
    gate.configure({ rules: [] })
    expect(fromPeer(udp(B, 2, A, 99))).toBe(DROP)
    expect(gate.drops.snapshot()['no-rule']).toBe(2)
  })

  test('F4: goes up when it is a refused IPv4 connection, which is told so', () => {
    expect(fromPeer(tcp(TCP_SYN))).toBe(UP)
    expect(fromPeer(tcp(TCP_SYN, B6, A6))).toBe(DROP)
    gate.configure({ rules: ALL })
    expect(fromPeer(tcp(TCP_SYN))).toBe(ACCEPT)
    expect(gate.drops.snapshot()['no-rule']).toBe(2)
  })

  test('goes up when it is TSMP, whatever the rules', () => {
    expect(fromPeer(tsmp(B, A))).toBe(UP)
  })

  test('goes up when it is an echo reply and one is waited for, and else to the host', () => {
    expect(fromPeer(echo('reply', B, A))).toBe(ACCEPT)
    gate.configure({ expectsEchoes: true })
    expect([echo('reply', B, A), echo('reply', B6, A6)].map((packet) => fromPeer(packet))).toEqual([UP, UP])
    expect(fromPeer(echo('request', B, A))).toBe(DROP)
    gate.configure({ expectsEchoes: false })
    expect(fromPeer(echo('reply', B, A))).toBe(ACCEPT)
  })

  test('F5, threat 10: a jailed peer gets in with answers alone, whatever the rules, and its neighbour by the rules', () => {
    const prefixes = (text: string): readonly Prefix[] => [parsePrefix(text)!]
    const jailed = { prefixes: prefixes('100.64.0.2/32'), shown: [], isJailed: true }
    const free = { prefixes: prefixes('100.64.0.3/32'), shown: [], isJailed: false }
    gate.configure({ rules: ALL, terms: { own: [A], peers: [jailed, free] } })
    expect(fromPeer(udp(Uint8Array.of(100, 64, 0, 3), 2, A, 1))).toBe(ACCEPT)
    expect([udp(B, 2, A, 1), echo('request', B, A), tcp(TCP_SYN)].map(fromPeer)).toEqual([DROP, DROP, UP])
    expect(gate.drops.snapshot()['no-rule']).toBe(3)
    fromHost(udp(A, 1, B, 2))
    expect([udp(B, 2, A, 1), echo('reply', B, A), tcp(TCP_ACK)].map(fromPeer)).toEqual([
      ACCEPT,
      ACCEPT,
      ACCEPT,
    ])
    gate.configure({ terms: { own: [], peers: [] } })
    expect(fromPeer(udp(B, 2, A, 99))).toBe(ACCEPT)
  })

  test('threat 18: is dropped when it is for an address that is not this node’s', () => {
    gate.configure({ rules: ALL })
    expect(fromPeer(udp(B, 1, B, 2))).toBe(DROP)
    expect(gate.drops.snapshot()['not-local']).toBe(1)
  })
})

test('D20: says of what it lets in whether it has another destination now, so that it is joined with the rest of its flow', () => {
  const [shown, other] = [Uint8Array.of(100, 99, 0, 1), Uint8Array.of(100, 64, 0, 9)]
  const peers = [B, other].map((address) => ({ prefixes: [{ address, bits: 32 }], isJailed: false }))
  const [masked, plain] = peers
  gate.configure({
    rules: ALL,
    terms: {
      own: [A],
      peers: [
        { ...masked!, shown: [shown] },
        { ...plain!, shown: [] },
      ],
    },
  })
  expect(fromPeer(udp(B, 1, shown, 2))).toBe(CHANGED)
  expect([fromPeer(udp(B, 1, A, 2)), fromPeer(udp(other, 1, A, 2))]).toEqual([ACCEPT, ACCEPT])
  gate.configure({ rules: [] })
  expect(fromPeer(udp(B, 1, shown, 2))).toBe(DROP)
})

test('a gate on a packet thread takes its settings as messages and counts in memory that is shared', () => {
  const memory = new SharedArrayBuffer(GateDrops.byteLength)
  const judge = createJudge(memory)
  judge.handleMessage({ localPrefixes: ['100.64.0.1'], rules: [] })
  const packet = udp(B, 1, A, 2)
  judge.toOverlay(packet, 0, packet.length)
  expect(new GateDrops(memory).snapshot()['no-rule']).toBe(1)
})
