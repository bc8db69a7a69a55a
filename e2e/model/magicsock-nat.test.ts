// Two nodes behind NATs, beyond who can be direct with whom (which is `sim-nat.test.ts`): the same NAT, moves, mappings
// that must be kept alive, both families.
import { type NatOptions, SimNet, type SimNetOptions } from '@mesh/simnet'
import { describe, expect, test } from 'vitest'
import { introduce, Node, regionOf } from './magicsock-support.ts'

function pair(a: NatOptions | undefined, b: NatOptions | undefined, options: SimNetOptions = {}) {
  const net = new SimNet(options)
  const relays = regionOf([net.stunServer(), net.stunServer()])
  const relay = net.relay()
  const place = (nat: NatOptions | undefined) => (nat === undefined ? {} : { behind: net.nat(nat) })
  const one = new Node({ id: 1, net, host: net.host(place(a)), relay, relays })
  const two = new Node({ id: 2, net, host: net.host(place(b)), relay, relays })
  introduce(net, one, two)
  return { net, one, two, relay }
}

/** Sends both ways every half second; returns how long it took until both sides were direct. */
function talk({ net, one, two }: ReturnType<typeof pair>, duration: number): number | undefined {
  let directAt: number | undefined
  for (let t = 0; t < duration; t += 500) {
    one.send(2, t)
    two.send(1, t)
    net.clock.advanceBy(500)
    if (directAt === undefined && one.isDirect(2) && two.isDirect(1)) directAt = t + 500
  }
  return directAt
}

/** Returns an address of 2001:db8::/64. */
function ipv6(last: number): Uint8Array {
  return Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last)
}

describe('two nodes', () => {
  test('without NATs go direct with the second packet', () => {
    expect(talk(pair(undefined, undefined), 3_000)).toBe(500)
  })

  test('behind the same NAT meet by their inside addresses', () => {
    const net = new SimNet()
    const relays = regionOf([net.stunServer()])
    const relay = net.relay()
    const nat = net.nat()
    const one = new Node({ id: 1, net, host: net.host({ behind: nat }), relay, relays })
    const two = new Node({ id: 2, net, host: net.host({ behind: nat }), relay, relays })
    introduce(net, one, two)
    expect(talk({ net, one, two, relay }, 3_000)).toBeLessThanOrEqual(1_000)
    const best = one.sock.status(2, net.clock.now())?.endpoint
    expect(best?.address).toEqual(two.host.addresses[0])
  })

  test('D13: a NAT that maps by destination is known for one', () => {
    const { one, two } = pair({ mapping: 'address-and-port-dependent' }, {})
    expect(one.sock.report?.mappingVariesByDestIp).toBe(true)
    expect(two.sock.report?.mappingVariesByDestIp).toBe(false)
  })

  test('keep a mapping alive by heartbeats for as long as they talk, though the NAT forgets after 30 s', () => {
    const world = pair({ timeout: 30_000 }, { timeout: 30_000 })
    const { net, one, two } = world
    talk(world, 5_000)
    for (let i = 0; i < 20; i++) {
      one.send(2, i)
      net.clock.advanceBy(15_000)
      expect(one.isDirect(2)).toBe(true)
    }
    expect(two.arrivals.slice(-20).every((arrival) => arrival.via === 'udp')).toBe(true)
  })

  test('D16: one that moves behind another NAT is direct again within seconds, and nothing is lost meanwhile', () => {
    const world = pair({}, {})
    const { net, one, two } = world
    talk(world, 5_000)
    const elsewhere = net.nat()
    one.host.move(elsewhere)
    one.moved()
    two.arrivals.length = 0
    expect(talk(world, 15_000)).toBeLessThanOrEqual(10_000)
    expect(new Set(two.arrivals.map((arrival) => arrival.number)).size).toBe(30)
  })

  test('D16: find each other when both move at once, and send in step', () => {
    const world = pair({}, {})
    const { net, one, two } = world
    for (const node of [two, one]) {
      node.host.move(net.nat())
      node.moved()
    }
    // Each answers the other's call just before it would have called itself: answering must not be all it does.
    for (let t = 0; t < 12_000; t += 400) {
      one.send(2, t)
      net.clock.advanceBy(200)
      two.send(1, t)
      net.clock.advanceBy(200)
    }
    expect([one.isDirect(2), two.isDirect(1)]).toEqual([true, true])
  })

  test('D9: prefer IPv6 where both have it and it is no slower', () => {
    const net = new SimNet()
    const relays = regionOf([net.stunServer()])
    const relay = net.relay()
    const at = (n: number) => [Uint8Array.of(198, 51, 100, n), ipv6(n)]
    const one = new Node({ id: 1, net, host: net.host({ addresses: at(1) }), relay, relays })
    const two = new Node({ id: 2, net, host: net.host({ addresses: at(2) }), relay, relays })
    introduce(net, one, two)
    talk({ net, one, two, relay }, 3_000)
    expect(one.sock.status(2, net.clock.now())?.endpoint?.address).toEqual(ipv6(2))
  })

  test('go on when the relay dies under them, and when it is back find each other anew', () => {
    const world = pair({}, {})
    const { net, one, two, relay } = world
    talk(world, 5_000)
    relay.up = false
    two.arrivals.length = 0
    talk(world, 20_000)
    expect(new Set(two.arrivals.map((arrival) => arrival.number)).size).toBe(40)
    relay.up = true
    one.host.move(net.nat())
    one.moved()
    expect(talk(world, 15_000)).toBeLessThanOrEqual(10_000)
  })
})
