// How long a path lives that nobody uses, found out by pings after silences of 8, 28 and 58 s, once a day.
import { beforeEach, expect, test } from 'vitest'
import { CYCLE_INTERVAL } from '../src/lifetime-probe.ts'
import { World, type WorldNode } from './support.ts'

const REST = 45_000

let world: World
/** The one whose disco key is the smaller. */
let first: WorldNode
let other: WorldNode
/** After this silence the NAT before `other` has forgotten it. */
let forgetsAfter = Infinity

beforeEach(() => {
  world = new World()
  world.addRegion(1, '192.0.2.1:3478')
  const a = world.add({ id: 1, addresses: ['198.51.100.1'] })
  const b = world.add({ id: 2, addresses: ['203.0.113.2'] })
  ;[first, other] = isSmaller(a.sock.discoKey, b.sock.discoKey) ? [a, b] : [b, a]
  forgetsAfter = Infinity
  let lastAt = -Infinity
  world.isLost = (_from, to) => {
    if (to.startsWith('192.0.2.')) return false
    const isForgotten = world.clock.now() - lastAt > forgetsAfter && lastAt !== -Infinity
    if (!isForgotten) lastAt = world.clock.now()
    return isForgotten
  }
  world.clock.advanceBy(1_000)
  a.meet(b.config())
  b.meet(a.config())
  a.sock.setHabits({ probeUdpLifetime: true })
  b.sock.setHabits({ probeUdpLifetime: true })
  first.keepSending(other.id, 500, 2_000)
})

function isSmaller(a: Uint8Array, b: Uint8Array): boolean {
  const at = a.findIndex((byte, i) => byte !== b[i])
  return a[at]! < b[at]!
}

function found(
  node: WorldNode,
  of: WorldNode,
): { atLeast: number; lessThan: number | undefined } | undefined {
  const lifetime = node.sock.status(of.id, world.clock.now())?.lifetime
  return lifetime && { atLeast: lifetime.atLeast, lessThan: lifetime.lessThan }
}

test('a path that outlives them all is pinged three times, after ever longer silence', () => {
  world.clock.advanceBy(REST + 5_000)
  const since = world.clock.now()
  world.clock.advanceBy(200_000)
  const at = first.log.filter((e) => e.what === 'ping' && e.at >= since - 5_000).map((e) => e.at)
  expect(at.slice(-3).map((t, n, all) => (n === 0 ? 0 : t - all[n - 1]!))).toEqual([0, 28_020, 58_020])
  expect(found(first, other)).toEqual({ atLeast: 60_000, lessThan: undefined })
})

test('one that is forgotten meanwhile ends the search', () => {
  forgetsAfter = 40_000
  world.clock.advanceBy(REST + 200_000)
  expect(found(first, other)).toEqual({ atLeast: 30_000, lessThan: 60_000 })
})

test('one that does not even live for ten seconds is known as such', () => {
  forgetsAfter = 7_000
  world.clock.advanceBy(REST + 200_000)
  expect(found(first, other)).toEqual({ atLeast: 0, lessThan: 10_000 })
})

test('of two the one with the smaller disco key asks', () => {
  other.keepSending(first.id, 500, 2_000)
  world.clock.advanceBy(REST + 200_000)
  expect(found(first, other)).toBeDefined()
  expect(found(other, first)).toBeUndefined()
})

test('a packet in between puts the rest off to the next silence, and nothing is asked again', () => {
  world.clock.advanceBy(REST + 30_000)
  expect(found(first, other)?.atLeast).toBe(10_000)
  first.send(other.id)
  world.clock.advanceBy(REST + 30_000)
  expect(found(first, other)?.atLeast).toBe(30_000)
})

test('it is asked once a day', () => {
  world.clock.advanceBy(REST + 200_000)
  const since = world.clock.now()
  first.keepSending(other.id, 500, 2_000)
  world.clock.advanceBy(REST + 10_000)
  const beats = first.sent('ping', since).length
  world.clock.advanceBy(200_000)
  expect(first.sent('ping', since)).toHaveLength(beats)
  world.clock.advanceBy(CYCLE_INTERVAL)
  const nextDay = world.clock.now()
  first.keepSending(other.id, 500, 2_000)
  world.clock.advanceBy(REST + 200_000)
  expect(first.sent('ping', nextDay).length).toBeGreaterThan(beats)
})

test('nobody asks unless told to', () => {
  first.sock.setHabits({})
  world.clock.advanceBy(REST + 200_000)
  expect(found(first, other)).toBeUndefined()
})
