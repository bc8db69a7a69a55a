import {
  decodeIcmp,
  decodeIpPacket,
  encodeUdpPacket,
  ICMP_UNREACHABLE,
  ICMPV6_UNREACHABLE,
} from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import { ICMP_ERRORS_PER_SECOND } from '../src/index.ts'
import { A4, A6, at, B4, B6, exchange, ip, packetsFrom, stackOf } from './support.ts'

const hello = new TextEncoder().encode('hello')

describe.each([
  ['IPv4', A4, B4],
  ['IPv6', A6, B6],
])('UDP by %s', (_family, a, b) => {
  test('carries a datagram to the socket on its port, and the answer back', () => {
    const [left, right] = [stackOf(A4, A6), stackOf(B4, B6)]
    const client = left.bindUdp()
    const server = right.bindUdp({ port: 53 })
    left.sendUdp(client.socket, { address: b, port: 53 }, hello, 0)
    const [[, asked] = []] = exchange(0, left, right)
    expect(asked).toMatchObject({
      kind: 'datagram',
      socket: server.socket,
      from: { address: a, port: client.port },
    })
    right.sendUdp(server.socket, { address: a, port: client.port }, hello, 1)
    const [[, answered] = []] = exchange(1, left, right)
    expect(answered).toEqual({
      kind: 'datagram',
      socket: client.socket,
      from: { address: b, port: 53 },
      to: { address: a, port: client.port },
      payload: hello,
    })
  })

  test('to a port where nobody listens is told to the sender’s socket', () => {
    const [left, right] = [stackOf(A4, A6), stackOf(B4, B6)]
    const { socket } = left.bindUdp()
    left.sendUdp(socket, { address: b, port: 9 }, hello, 0)
    expect(exchange(0, left, right)).toEqual([
      [left, { kind: 'unreachable', socket, to: { address: b, port: 9 } }],
    ])
  })

  test('to a closed port earns one ICMP error of the right type that quotes the packet', () => {
    const stack = stackOf(B4, B6)
    const question = encodeUdpPacket({ address: a, port: 5 }, { address: b, port: 9 }, hello)
    stack.handlePacket(question, 0)
    const [error] = packetsFrom(stack)
    const message = decodeIcmp(decodeIpPacket(error ?? new Uint8Array(0))?.payload ?? new Uint8Array(0))
    expect(message?.type).toBe(a.length === 4 ? ICMP_UNREACHABLE : ICMPV6_UNREACHABLE)
    expect(message?.body.subarray(4)).toEqual(question)
  })

  test('from a socket to an own address comes straight back', () => {
    const stack = stackOf(A4, A6)
    const { socket, port } = stack.bindUdp({ address: a })
    stack.sendUdp(socket, { address: a, port }, hello, 0)
    expect(stack.poll()).toMatchObject({ kind: 'datagram', socket, from: { address: a, port } })
  })
})

test('a socket bound to one address hears that one alone, and wins over the one bound to all', () => {
  const [left, right] = [stackOf(A4), stackOf(B4, ip('100.64.0.3'))]
  const all = right.bindUdp({ port: 7 })
  const one = right.bindUdp({ address: B4, port: 7 })
  const { socket } = left.bindUdp()
  left.sendUdp(socket, at('100.64.0.2:7'), hello, 0)
  left.sendUdp(socket, at('100.64.0.3:7'), hello, 0)
  const heard = exchange(0, left, right).map(([, event]) => (event.kind === 'datagram' ? event.socket : 0))
  expect(heard).toEqual([one.socket, all.socket])
})

test('a port is given out once, and again after its socket is closed', () => {
  const stack = stackOf(A4)
  const { socket } = stack.bindUdp({ port: 7 })
  expect(() => stack.bindUdp({ port: 7 })).toThrow(/UDP port 7 of all addresses is in use/)
  stack.closeUdp(socket)
  stack.closeUdp(socket)
  expect(stack.bindUdp({ port: 7 }).port).toBe(7)
})

test('free ports lie in the ephemeral range and do not repeat', () => {
  const stack = stackOf(A4)
  const ports = Array.from({ length: 50 }, () => stack.bindUdp().port)
  expect(new Set(ports).size).toBe(50)
  expect(ports.every((port) => port >= 49_152 && port <= 65_535)).toBe(true)
})

test('binding a foreign address, sending from a closed socket and exceeding the MTU are refused', () => {
  const stack = stackOf(A4)
  expect(() => stack.bindUdp({ address: B4 })).toThrow(/not an address of this node/)
  expect(() => stack.sendUdp(99, at('100.64.0.2:1'), hello, 0)).toThrow(/no UDP socket 99/)
  const { socket } = stack.bindUdp()
  expect(() => stack.sendUdp(socket, at('100.64.0.2:1'), new Uint8Array(1_253), 0)).toThrow(RangeError)
})

test('a flood of questions to closed ports is no flood of answers', () => {
  const stack = stackOf(B4)
  const question = encodeUdpPacket({ address: A4, port: 5 }, { address: B4, port: 9 }, hello)
  for (let i = 0; i < 1_000; i++) stack.handlePacket(question, i / 10)
  expect(packetsFrom(stack).length).toBe(ICMP_ERRORS_PER_SECOND)
  stack.handlePacket(question, 1_001)
  expect(packetsFrom(stack).length).toBe(1)
})

test('an ICMP error that quotes what this node never sent is nobody’s', () => {
  const [left, right] = [stackOf(A4), stackOf(B4)]
  const { socket } = left.bindUdp({ port: 50_000 })
  right.handlePacket(encodeUdpPacket(at('100.64.0.1:40000'), at('100.64.0.2:9'), hello), 0)
  expect(exchange(0, left, right)).toEqual([])
  expect(left.counters().drops['no-listener']).toBe(1)
  left.closeUdp(socket)
})
