import { decodeIcmpEcho, decodeIpPacket, encodeIcmpEcho, encodeUdpPacket } from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import { NetstackError } from '../src/index.ts'
import { A4, A6, B4, B6, exchange, ip, packetsFrom, stackOf } from './support.ts'

describe.each([
  ['IPv4', A4, B4],
  ['IPv6', A6, B6],
])('ping by %s', (_family, a, b) => {
  test('is answered with the same identifier, sequence and data, from the address that was asked', () => {
    const stack = stackOf(B4, B6)
    const data = Uint8Array.of(1, 2, 3)
    stack.handlePacket(encodeIcmpEcho(a, b, { kind: 'request', identifier: 7, sequence: 9, data }), 0)
    const [reply] = packetsFrom(stack)
    const packet = decodeIpPacket(reply ?? new Uint8Array(0))
    expect(packet?.source).toEqual(b)
    expect(packet?.destination).toEqual(a)
    expect(packet && decodeIcmpEcho(packet)).toEqual({ kind: 'reply', identifier: 7, sequence: 9, data })
  })

  test('reports the time between the request and its answer', () => {
    const [left, right] = [stackOf(A4, A6), stackOf(B4, B6)]
    const ping = left.ping(b, 1_000)
    for (const packet of packetsFrom(left)) right.handlePacket(packet, 1_010)
    for (const packet of packetsFrom(right)) left.handlePacket(packet, 1_025)
    expect(left.poll()).toEqual({ kind: 'pong', ping, from: b, latency: 25 })
    expect(left.pollTimeout()).toBe(Infinity)
  })

  test('fails after its timeout when nobody answers, and a late answer counts for nothing', () => {
    const [left, right] = [stackOf(A4, A6), stackOf(B4, B6)]
    const ping = left.ping(b, 0, { timeout: 200 })
    const [request] = packetsFrom(left)
    expect(left.pollTimeout()).toBe(200)
    left.handleTimeout(199)
    expect(left.poll()).toBeUndefined()
    left.handleTimeout(200)
    expect(left.poll()).toEqual({ kind: 'ping-failed', ping, to: b, reason: 'timeout' })
    right.handlePacket(request ?? new Uint8Array(0), 201)
    expect(exchange(202, left, right)).toEqual([])
    expect(left.counters().drops['no-listener']).toBe(1)
  })

  test('to an own address is answered without leaving the node', () => {
    const stack = stackOf(A4, A6)
    const ping = stack.ping(a, 5)
    expect(stack.poll()).toEqual({ kind: 'pong', ping, from: a, latency: 0 })
    expect(stack.counters().packetsOut).toBe(0)
  })

  test('is not answered for another address, nor for a source that is no single host', () => {
    const stack = stackOf(B4, B6)
    const echo = { kind: 'request', identifier: 1, sequence: 1, data: new Uint8Array(0) } as const
    const many = a.length === 4 ? ip('224.0.0.1') : ip('ff02::1')
    stack.handlePacket(encodeIcmpEcho(a, a, echo), 0)
    stack.handlePacket(encodeIcmpEcho(many, b, echo), 0)
    expect(stack.poll()).toBeUndefined()
    expect(stack.counters().drops).toMatchObject({ 'not-ours': 1, 'bad-source': 1 })
  })
})

test('a forged answer from another address finishes no ping', () => {
  const left = stackOf(A4)
  left.ping(B4, 0)
  const request = decodeIpPacket(packetsFrom(left)[0] ?? new Uint8Array(0))
  const echo = request && decodeIcmpEcho(request)
  if (echo === undefined) throw new Error('no echo was sent')
  left.handlePacket(encodeIcmpEcho(ip('100.64.0.9'), A4, { ...echo, kind: 'reply' }), 1)
  expect(left.poll()).toBeUndefined()
  left.handlePacket(encodeIcmpEcho(B4, A4, { ...echo, kind: 'reply' }), 2)
  expect(left.poll()?.kind).toBe('pong')
})

test('a node without IPv6 cannot ping an IPv6 address, and says so', () => {
  expect(() => stackOf(A4).ping(B6, 0)).toThrow(NetstackError)
})

test('a ping larger than the MTU is the caller’s mistake', () => {
  expect(() => stackOf(A4).ping(B4, 0, { size: 1_253 })).toThrow(RangeError)
  expect(stackOf(A4).ping(B4, 0, { size: 1_252 })).toBe(1)
})

test('a packet with a wrong checksum, a fragment and half a packet are dropped and counted', () => {
  const stack = stackOf(B4)
  const good = encodeUdpPacket({ address: A4, port: 1 }, { address: B4, port: 2 }, Uint8Array.of(1, 2, 3))
  const wrong = good.slice()
  wrong[30] = 99
  const fragment = encodeIcmpEcho(A4, B4, {
    kind: 'request',
    identifier: 1,
    sequence: 1,
    data: new Uint8Array(8),
  })
  fragment[6] = 0x20
  stack.handlePacket(wrong, 0)
  stack.handlePacket(fragment, 0)
  stack.handlePacket(good.subarray(0, 24), 0)
  expect(stack.poll()).toBeUndefined()
  expect(stack.counters().drops).toMatchObject({ checksum: 1, fragment: 1, malformed: 1 })
})
