import {
  decodeIpPacket,
  decodeTcp,
  encodeTcpPacket,
  type Endpoint,
  TCP_RST,
  TCP_SYN,
  type TcpSegment,
} from '@mesh/wire/ip'
import { describe, expect, test } from 'vitest'
import { TCP_BUFFER, TCP_OPENING_LIMIT } from '../src/index.ts'
import { A4, A6, at, B4, B6, packetsFrom, stackOf } from './support.ts'
import { World } from './tcp-world.ts'

const HTTP = at('100.64.0.2:80')
const MINUTE = 60_000

function segmentOf(packet: Uint8Array): TcpSegment {
  const segment = decodeTcp(decodeIpPacket(packet)?.payload ?? new Uint8Array(0))
  if (segment === undefined) throw new Error('no TCP segment')
  return segment
}

function bytes(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8) * 7 + seed) & 0xff)
}

/** A world whose server listens on port 80. */
function listening(faults = {}, chance?: () => number): World {
  const [client, server] = [stackOf(A4, A6), stackOf(B4, B6)]
  server.listenTcp({ port: 80 })
  return new World(client, server, faults, chance)
}

describe.each([
  ['IPv4', HTTP],
  ['IPv6', { address: B6, port: 80 }],
])('a connection by %s', (_family, to: Endpoint) => {
  test('opens, carries bytes both ways, ends from both sides and is forgotten', () => {
    const world = listening()
    world.server.echoes = true
    world.client.connect(to, 0)
    world.client.send(bytes(100_000), 0)
    world.client.end(0)
    expect(world.run(10 * MINUTE)).toBe(true)
    expect(world.client.received).toEqual([...bytes(100_000)])
    expect([world.client.closed, world.server.closed]).toEqual(['done', 'done'])
  })
})

test('a port where nobody listens refuses', () => {
  const world = new World(stackOf(A4), stackOf(B4))
  world.client.connect(HTTP, 0)
  world.run(MINUTE)
  expect(world.client.closed).toBe('refused')
})

test('a host that is not there is given up after six SYNs', () => {
  const world = listening()
  let syns = 0
  world.filter = () => {
    syns += 1
    return false
  }
  world.client.connect(HTTP, 0)
  world.run(10 * MINUTE)
  expect([world.client.closed, syns]).toEqual(['timeout', 6])
})

test('a peer that vanishes in the middle is given up', () => {
  const world = listening()
  world.client.connect(HTTP, 0)
  world.run(1_000)
  world.filter = () => false
  world.client.send(bytes(10), world.now)
  world.run(60 * MINUTE)
  expect(world.client.closed).toBe('timeout')
  expect(world.run(4 * 60 * MINUTE)).toBe(true)
})

test('a program that does not read stops its peer, and reading lets it go on', () => {
  const world = listening()
  world.server.reads = false
  world.client.connect(HTTP, 0)
  world.client.send(bytes(4 * TCP_BUFFER), 0)
  world.client.end(0)
  world.run(MINUTE)
  expect(world.server.received.length).toBe(TCP_BUFFER)
  world.run(30 * MINUTE)
  expect(world.client.closed).toBeUndefined()
  world.server.read(world.now)
  world.run(40 * MINUTE)
  expect(world.server.received).toEqual([...bytes(4 * TCP_BUFFER)])
  expect(world.client.closed).toBe('done')
})

test('the window opening is found out even when the word of it is lost', () => {
  const world = listening()
  world.server.reads = false
  world.client.connect(HTTP, 0)
  world.client.send(bytes(2 * TCP_BUFFER), 0)
  world.run(MINUTE)
  world.filter = () => false
  world.server.read(world.now)
  world.run(MINUTE + 1_000)
  world.filter = () => true
  world.run(5 * MINUTE)
  expect(world.server.received.length).toBe(2 * TCP_BUFFER)
})

test('one side may end while the other goes on', () => {
  const world = listening()
  world.server.endsWithPeer = false
  world.client.connect(HTTP, 0)
  world.client.end(0)
  world.run(MINUTE)
  expect([world.server.ended, world.server.closed, world.client.ended]).toEqual([true, undefined, false])
  world.server.send(bytes(5_000), world.now)
  world.server.end(world.now)
  world.run(5 * MINUTE)
  expect(world.client.received).toEqual([...bytes(5_000)])
  expect([world.client.closed, world.server.closed]).toEqual(['done', 'done'])
})

test('breaking off is told to the peer, and nothing is sent any more', () => {
  const [client, server] = [stackOf(A4), stackOf(B4)]
  server.listenTcp({ port: 80 })
  const world = new World(client, server)
  world.client.connect(HTTP, 0)
  world.run(1_000)
  client.abortTcp(world.client.connection ?? 0, world.now)
  world.run(2_000)
  expect([world.client.closed, world.server.closed]).toEqual(['aborted', 'reset'])
  expect(client.sendTcp(world.client.connection ?? 0, bytes(1), world.now)).toBe(0)
})

test('the SYN names the segment size that fits the MTU and offers window scaling', () => {
  const client = stackOf(A4)
  client.connectTcp(HTTP, 0)
  const syn = segmentOf(packetsFrom(client)[0] ?? new Uint8Array(0))
  expect(syn.flags).toBe(TCP_SYN)
  expect([...syn.options]).toEqual([2, 4, 1240 >> 8, 1240 & 255, 3, 3, 3, 1])
})

test('no segment is longer than the MTU', () => {
  const world = listening()
  let longest = 0
  world.filter = (packet) => {
    longest = Math.max(longest, packet.length)
    return true
  }
  world.client.connect(HTTP, 0)
  world.client.send(bytes(50_000), 0)
  world.run(MINUTE)
  expect(longest).toBe(1_280)
})

test('one lost segment is sent again at once after three duplicate acknowledgments, with no timeout', () => {
  const world = listening()
  world.client.connect(HTTP, 0)
  world.run(1_000)
  let seen = 0
  world.filter = (packet) => segmentOf(packet).payload.length === 0 || (seen += 1) !== 2
  world.client.send(bytes(30_000), world.now)
  world.run(1_000 + 150)
  expect(world.server.received).toEqual([...bytes(30_000)])
})

test('a forged reset within the window but not at its edge breaks nothing (RFC 5961)', () => {
  const [client, server] = [stackOf(A4), stackOf(B4)]
  server.listenTcp({ port: 80 })
  const world = new World(client, server)
  let last: Uint8Array | undefined
  world.filter = (packet, from) => {
    if (from === client) last = packet
    return true
  }
  world.client.connect(HTTP, 0)
  world.run(1_000)
  const { sourcePort, sequence } = segmentOf(last ?? new Uint8Array(0))
  for (const [offset, closed] of [
    [100, undefined],
    [0, 'reset'],
  ] as const) {
    const reset = forge(sourcePort, sequence + offset, TCP_RST)
    server.handlePacket(reset, world.now)
    world.run(world.now + 100)
    expect(world.server.closed).toBe(closed)
  }
})

test('a flood of SYNs fills no memory, touches no open connection, and keeps nobody out', () => {
  const [client, server] = [stackOf(A4), stackOf(B4)]
  server.listenTcp({ port: 80 })
  const world = new World(client, server)
  world.client.connect(HTTP, 0)
  world.run(1_000)
  for (let port = 1; port <= 2 * TCP_OPENING_LIMIT; port++)
    server.handlePacket(forge(port, 1, TCP_SYN, NOBODY), world.now)
  packetsFrom(server)
  world.client.send(bytes(1_000), world.now)
  world.run(2_000)
  expect(world.server.received.length).toBe(1_000)
  const late = client.connectTcp(HTTP, world.now)
  world.run(3_000)
  expect(client.sendTcp(late, bytes(1), world.now)).toBe(1)
  world.run(4_000)
  expect(world.server.received.length).toBe(1_001)
  // Open connections rest until their peers are asked whether they are there; of the others nothing is left to do.
  expect(server.pollTimeout()).toBeLessThan(20 * MINUTE)
  world.run(20 * MINUTE)
  expect(server.pollTimeout()).toBeGreaterThan(60 * MINUTE)
})

test('a node reaches its own listener without a packet leaving it', () => {
  const stack = stackOf(A4)
  stack.listenTcp({ port: 7 })
  const connection = stack.connectTcp(at('100.64.0.1:7'), 0)
  stack.sendTcp(connection, bytes(3), 0)
  const kinds: string[] = []
  for (let output = stack.poll(); output !== undefined; output = stack.poll()) kinds.push(output.kind)
  expect(kinds.toSorted()).toEqual(['tcp-accepted', 'tcp-connected', 'tcp-data'])
  expect(stack.counters().packetsOut).toBe(0)
})

test('a listener hears no more once it is closed, and what it accepted goes on', () => {
  const [client, server] = [stackOf(A4), stackOf(B4)]
  const { listener } = server.listenTcp({ port: 80 })
  expect(() => server.listenTcp({ port: 80 })).toThrow(/TCP port 80 of all addresses is in use/)
  const world = new World(client, server)
  world.client.connect(HTTP, 0)
  world.run(1_000)
  server.closeTcpListener(listener)
  world.client.send(bytes(10), world.now)
  world.run(2_000)
  expect(world.server.received.length).toBe(10)
  client.connectTcp(HTTP, world.now)
  world.run(3_000)
  expect(world.client.closed).toBe('refused')
})

/** An address whose host never answers. */
const NOBODY = at('100.64.0.9:1').address

/** A segment from somebody at A4, or elsewhere. */
function forge(sourcePort: number, sequence: number, flags: number, from = A4): Uint8Array {
  const segment = { sequence: sequence >>> 0, acknowledgment: 0, flags, window: 1_000 }
  return encodeTcpPacket({ address: from, port: sourcePort }, HTTP, segment)
}

describe('a peer that has long been silent', () => {
  const HOUR = 60 * MINUTE
  /** A connection that has carried something and then rests. */
  const resting = (): World => {
    const world = listening()
    world.server.endsWithPeer = false
    world.client.connect(HTTP, 0)
    world.client.send(bytes(10), 0)
    world.run(MINUTE)
    return world
  }

  test('is asked after two hours, and answers: the connection stays for days', () => {
    const world = resting()
    const before = world.sent
    world.run(72 * HOUR)
    expect([world.client.closed, world.server.closed]).toEqual([undefined, undefined])
    expect(world.sent - before).toBeGreaterThan(72)
    expect(world.sent - before).toBeLessThan(200)
    world.client.send(bytes(5), world.now)
    world.run(world.now + MINUTE)
    expect(world.server.received).toHaveLength(15)
  })

  test('is asked nine times and then given up, when it is gone', () => {
    const world = resting()
    world.filter = () => false
    const before = world.sent
    world.run(2 * HOUR + 8 * 75_000)
    expect(world.client.closed).toBeUndefined()
    world.run(2 * HOUR + 12 * 75_000)
    expect([world.client.closed, world.server.closed]).toEqual(['timeout', 'timeout'])
    expect(world.sent - before).toBe(18)
  })
})
