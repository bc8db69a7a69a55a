// How large the packets are that a path carries: off by default, then by pings of the path in use alone.
import { beforeEach, describe, expect, test } from 'vitest'
import { headersTo } from '../src/path-mtu.ts'
import { at, PORT, sealed, twoPublicNodes, type World, type WorldNode } from './support.ts'

const B = '203.0.113.2:41641'
const IP_AND_UDP = 28
const IPV6_AND_UDP = 48

let world: World
let a: WorldNode
let b: WorldNode
/** Bytes of the IP packets with pings larger than such need be. */
let large: number[]

beforeEach(() => {
  ;({ world, a, b } = twoPublicNodes())
  large = []
})

/** Datagrams to `b` are lost that make IP packets larger than this. */
function limitMtu(mtu: number, headers = IP_AND_UDP): void {
  world.isLost = (from, to, bytes) => {
    const length = bytes.length + headers
    if (from === a && to === B && length > 200) large.push(length)
    return to === B && length > mtu
  }
}

function mtuOf(peer: number): number | undefined {
  return a.sock.status(peer, world.clock.now())?.mtu
}

test('headers before a ping are those of the packet as it leaves: IPv6 ones behind NAT64, and a tunnel’s', () => {
  const hops = [at(B), at('[2001:db8::1]:7'), { ...at(B), vni: 5 }, { ...at('[2001:db8::1]:7'), vni: 5 }]
  expect(hops.map((hop) => headersTo(hop, false))).toEqual([28, 48, 36, 56])
  expect(hops.map((hop) => headersTo(hop, true))).toEqual([48, 48, 56, 56])
})

test('nothing is tried unless it is wanted', () => {
  limitMtu(9_000)
  a.keepSending(2, 500, 120_000)
  expect(large).toEqual([])
  expect(mtuOf(2)).toBe(1_360)
})

describe('when it is wanted', () => {
  beforeEach(() => a.sock.setHabits({ probePathMtu: true }))

  test('the largest packet that passes is known in seconds, and only larger ones are tried again, once a minute', () => {
    limitMtu(1_500)
    a.keepSending(2, 500, 8_000)
    expect(mtuOf(2)).toBe(1_500)
    expect(large).toEqual([1_400, 1_500, 8_000, 9_000])
    large.length = 0
    a.keepSending(2, 500, 60_000)
    expect(large).toEqual([8_000, 9_000])
    expect(mtuOf(2)).toBe(1_500)
  })

  test('behind NAT64 it is the IPv6 packet to the translator, which has to pass first', () => {
    const ports = { v4: PORT, v6: PORT, isV4Translated: true }
    a.sock.setLocalAddresses([at('[2001:db8::1]:1').address], ports, world.clock.now())
    limitMtu(1_500, IPV6_AND_UDP)
    a.keepSending(2, 500, 8_000)
    expect(large).toEqual([1_400, 1_500, 8_000, 9_000])
    expect(mtuOf(2)).toBe(1_500)
  })

  test('a path that carries jumbo frames is known as such, and left alone', () => {
    limitMtu(9_000)
    a.keepSending(2, 500, 8_000)
    expect(mtuOf(2)).toBe(9_000)
    large.length = 0
    a.keepSending(2, 500, 120_000)
    expect(large).toEqual([])
  })

  test('what does not pass costs the path nothing: it is trusted, as fast as before, and no failure is told', () => {
    limitMtu(1_300)
    a.keepSending(2, 500, 20_000)
    expect(a.sock.status(2, world.clock.now())).toMatchObject({ endpoint: at(B), latency: 20, mtu: 1_360 })
    const seen = a.sock.explainPath(2, world.clock.now())?.ledger ?? []
    expect(seen.filter(({ event }) => event === 'ping-unanswered')).toEqual([])
  })

  test('threat 32: only the path that has answered is tried, whatever addresses the peer names', () => {
    const endpoints = Array.from({ length: 50 }, (_, i) => at(`192.0.2.${i + 100}:7`))
    a.receiveRelayed(1, b.nodeKey, sealed(b, a, { kind: 'call-me-maybe', endpoints }))
    const lengths = new Map<string, number>()
    world.isLost = (from, to, bytes) => {
      if (from === a) lengths.set(to, Math.max(bytes.length, lengths.get(to) ?? 0))
      return false
    }
    a.keepSending(2, 500, 10_000)
    expect(mtuOf(2)).toBe(9_000)
    for (const { address, port } of endpoints)
      expect(lengths.get(`${address.join('.')}:${port}`) ?? 0).toBeLessThanOrEqual(124)
  })
})
