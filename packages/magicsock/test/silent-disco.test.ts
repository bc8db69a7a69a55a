// Silent disco: no heartbeats. What comes from the peer keeps its path trusted; one by which nothing comes back is asked for
// a sign of life when somebody sends by it; and one at rest is left alone.
import { beforeEach, describe, expect, test } from 'vitest'
import { SENT } from '../src/index.ts'
import { World, type WorldNode } from './support.ts'

let world: World
let a: WorldNode
let b: WorldNode

beforeEach(() => {
  world = new World()
  world.addRegion(1, '192.0.2.1:3478')
  a = world.add({ id: 1, addresses: ['198.51.100.1'], authenticates: true })
  b = world.add({ id: 2, addresses: ['203.0.113.2'], authenticates: true })
  world.clock.advanceBy(1_000)
  a.meet(b.config())
  b.meet(a.config())
  a.sock.setHabits({ silentDisco: true })
  b.sock.setHabits({ silentDisco: true })
  talk(2_000)
})

/** Both send, twice a second. Returns what `a`'s sends did. */
function talk(duration: number): Set<number> {
  const sent = new Set<number>()
  for (let t = 0; t < duration; t += 500) {
    sent.add(a.send(2))
    b.send(1)
    world.clock.advanceBy(500)
  }
  return sent
}

function isDirect(node: WorldNode, peer: number): boolean {
  return node.sock.status(peer, world.clock.now())?.endpoint !== undefined
}

/** Only pings and pongs to or from peers; STUN goes on. */
function pings(node: WorldNode, since: number): number {
  return node.sent('ping', since).length
}

test('a path at rest is not pinged at all', () => {
  expect(isDirect(a, 2)).toBe(true)
  const since = world.clock.now()
  world.clock.advanceBy(120_000)
  expect(pings(a, since) + pings(b, since)).toBe(0)
})

test('a conversation keeps its path trusted with one proof of both directions in half a minute', () => {
  // Close enough not to be compared with others: see the test of upgrades.
  world.latency = () => 2
  talk(5_000)
  const since = world.clock.now()
  const sent = talk(120_000)
  expect(sent).toEqual(new Set([SENT.direct]))
  expect(pings(a, since)).toBeGreaterThanOrEqual(3)
  expect(pings(a, since)).toBeLessThanOrEqual(4)
})

test('a path that only we send by is asked every three seconds, and nothing is doubled', () => {
  world.latency = () => 2
  talk(2_000)
  const since = world.clock.now()
  const sent = new Set<number>()
  for (let t = 0; t < 30_000; t += 500) {
    sent.add(a.send(2))
    world.clock.advanceBy(500)
  }
  expect(sent).toEqual(new Set([SENT.direct]))
  expect(pings(a, since)).toBeGreaterThanOrEqual(8)
  expect(pings(a, since)).toBeLessThanOrEqual(10)
})

test('after a rest the first packet goes both ways, and the path is trusted again one round trip later', () => {
  world.clock.advanceBy(60_000)
  expect(a.send(2)).toBe(SENT.both)
  world.clock.advanceBy(25)
  expect(a.send(2)).toBe(SENT.direct)
})

test('D8: a path that is blocked is doubled within 6.5 s and given up within 12 s', () => {
  world.isLost = (_from, to) => !to.startsWith('192.0.2.')
  const sent = new Map<number, number>()
  for (let t = 0; t < 14_000; t += 500) {
    sent.set(t, a.send(2))
    b.send(1)
    world.clock.advanceBy(500)
  }
  const doubled = [...sent].find(([, what]) => what === SENT.both)
  expect(doubled?.[0]).toBeLessThanOrEqual(7_000)
  expect(sent.get(12_000)).toBe(SENT.relay)
})

test('a path that carries only what the peer sends is not believed in for ever', () => {
  // Our packets are kept from the peer, who sends on by UDP; its pings are lost, so that nothing else speaks for the path.
  const began = world.clock.now()
  world.isLost = (from, to) => from === a && !to.startsWith('192.0.2.')
  let doubledAt = Infinity
  for (let t = 0; t < 60_000 && doubledAt === Infinity; t += 500) {
    if (a.send(2) !== SENT.direct) doubledAt = world.clock.now() - began
    b.sock.noteTraffic(1, world.clock.now())
    a.receive(Uint8Array.of(4, 0, 0, 0), { address: Uint8Array.of(203, 0, 113, 2), port: 41_641 })
    world.clock.advanceBy(500)
  }
  expect(doubledAt).toBeGreaterThan(6_500)
  expect(doubledAt).toBeLessThanOrEqual(37_000)
})

test('threat 24: what is not authentic keeps no path trusted', () => {
  const from = { address: Uint8Array.of(203, 0, 113, 2), port: 41_641 }
  for (let t = 0; t < 7_000; t += 500) {
    a.sock.handleDatagram(Uint8Array.of(4, 0, 0, 0), from, world.clock.now())
    world.clock.advanceBy(500)
  }
  expect(isDirect(a, 2)).toBe(false)
})

test('a path that is good but slow is compared with the others every minute of use', () => {
  const since = world.clock.now()
  talk(130_000)
  expect(a.sent('call-me-maybe', since).length).toBe(2)
})

describe('when control changes its mind', () => {
  test('heartbeats begin with the next packet', () => {
    a.sock.setHabits({})
    const since = world.clock.now()
    a.send(2)
    world.clock.advanceBy(30_000)
    expect(pings(a, since)).toBeGreaterThanOrEqual(9)
  })

  test('heartbeats under way end', () => {
    a.sock.setHabits({})
    a.send(2)
    world.clock.advanceBy(4_000)
    a.sock.setHabits({ silentDisco: true })
    const since = world.clock.now()
    world.clock.advanceBy(60_000)
    expect(pings(a, since)).toBe(0)
  })
})
