// Machines with several interfaces, and what becomes of paths when one of them goes: the peer that stays hears of nothing
// but silence, the machine that moves knows at once.
import { formatEndpoint, parseAddress } from '@mesh/wire/ip'
import { beforeEach, describe, expect, test } from 'vitest'
import { SENT } from '../src/index.ts'
import { PORT, World, type WorldNode } from './support.ts'

const FAR = '203.0.113.2:41641'
const NEAR = '192.168.0.2:41641'
const V6 = '[2001:db8::2]:41641'

let world: World
let a: WorldNode
let b: WorldNode

beforeEach(() => {
  world = new World()
  world.addRegion(1, '192.0.2.1:3478')
  world.latency = (_from, to) => (to === NEAR ? 2 : 10)
  a = world.add({ id: 1, addresses: ['198.51.100.1', '2001:db8::1'] })
  b = world.add({ id: 2, addresses: ['203.0.113.2', '192.168.0.2'] })
  world.clock.advanceBy(1_000)
  a.meet(b.config())
  b.meet(a.config())
})

/** Gives b other addresses, and tells it as a system does: with `isLost` when one is gone. */
function replug(addresses: readonly string[], isLost: boolean): void {
  Object.assign(b, { options: { ...b.options, addresses } })
  const now = world.clock.now()
  const v6 = addresses.some((address) => address.includes(':'))
  if (isLost) b.sock.handleNetworkChange(now)
  b.sock.setLocalAddresses(
    addresses.map((text) => parseAddress(text)!),
    { v4: PORT, v6: v6 ? PORT : undefined },
    now,
  )
  b.wake()
}

function pathOf(node: WorldNode, peer: number): string | undefined {
  const endpoint = node.sock.status(peer, world.clock.now())?.endpoint
  return endpoint && formatEndpoint(endpoint)
}

/** Numbers of a's packets that have arrived. */
function arrived(): Set<number> {
  return new Set(b.arrivals.map(({ bytes }) => bytes[4]!))
}

/** Sends numbered packets, twice a second; returns the numbers that have not come. */
function lostOf(count: number): number[] {
  const numbers = Array.from({ length: count }, (_, n) => n)
  for (const n of numbers) {
    a.send(2, n)
    world.clock.advanceBy(500)
  }
  world.clock.advanceBy(1_000)
  return numbers.filter((n) => !arrived().has(n))
}

describe('two interfaces', () => {
  test('D12, D9: both are told, and the nearer one is the path', () => {
    expect(b.sock.endpoints.map(({ endpoint }) => formatEndpoint(endpoint)).sort()).toEqual(
      [NEAR, FAR].sort(),
    )
    a.keepSending(2, 500, 3_000)
    expect(pathOf(a, 2)).toBe(NEAR)
  })

  test('D16: when the one in use goes, the peer ends on the other, and hardly a packet is lost', () => {
    a.keepSending(2, 500, 3_000)
    replug(['203.0.113.2'], true)
    const lost = lostOf(40)
    // What went out before the path was in doubt, and nothing after.
    expect(Math.max(...lost, 0)).toBeLessThanOrEqual(13)
    expect(pathOf(a, 2)).toBe(FAR)
  })

  test('D16: with both sides sending nobody waits for the doubt: the one that moved calls at once', () => {
    a.keepSending(2, 500, 3_000)
    replug(['203.0.113.2'], true)
    b.send(1)
    const since = world.clock.now()
    while (pathOf(a, 2) !== FAR && world.clock.now() - since < 10_000) {
      a.send(2)
      b.send(1)
      world.clock.advanceBy(100)
    }
    expect(world.clock.now() - since).toBeLessThanOrEqual(7_000)
    expect(pathOf(b, 1)).toBeDefined()
  })

  test('one that comes is told, becomes the path when it is better, and nothing is forgotten for it', () => {
    replug(['203.0.113.2'], true)
    b.keepSending(1, 500, 3_000)
    a.keepSending(2, 500, 3_000)
    expect(pathOf(a, 2)).toBe(FAR)
    replug(['203.0.113.2', '192.168.0.2'], false)
    expect(a.send(2)).toBe(SENT.direct)
    world.clock.advanceBy(100)
    expect(b.sock.endpoints.map(({ endpoint }) => formatEndpoint(endpoint))).toContain(NEAR)
    a.meet(b.config())
    a.keepSending(2, 500, 65_000)
    expect(pathOf(a, 2)).toBe(NEAR)
  })
})

describe('from IPv4 to IPv6', () => {
  test('D16: a machine that finds itself in a network of the other family is reached there', () => {
    a.keepSending(2, 500, 3_000)
    replug(['2001:db8::2'], true)
    world.clock.advanceBy(1_000)
    b.send(1)
    a.keepSending(2, 500, 8_000)
    expect(pathOf(a, 2)).toBe(V6)
    expect(pathOf(b, 1)).toBe('[2001:db8::1]:41641')
  })

  test('IPv6 that is a little slower is the path all the same', () => {
    world.latency = (_from, to) => (to === FAR ? 20 : 21)
    replug(['203.0.113.2', '2001:db8::2'], true)
    world.clock.advanceBy(1_000)
    a.meet(b.config())
    a.keepSending(2, 500, 3_000)
    expect(pathOf(a, 2)).toBe(V6)
  })
})
