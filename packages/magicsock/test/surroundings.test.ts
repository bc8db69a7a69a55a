// Where a node stands: its endpoints, its home relay, and how often it looks again.
import { describe, expect, test } from 'vitest'
import { ENDPOINT_TYPE, type MagicSockOutput, relayMapOf, selectLocalAddresses } from '../src/index.ts'
import { HomeChoice } from '../src/home-choice.ts'
import { planProbes } from '../src/netcheck-plan.ts'
import { ReportBuilder } from '../src/netcheck-report.ts'
import { formatAddress, formatEndpoint, parseAddress } from '@mesh/wire/ip'
import { at, World, type WorldNode } from './support.ts'

function typed(node: WorldNode): string[] {
  return node.sock.endpoints.map(({ endpoint, type }) => `${type} ${formatEndpoint(endpoint)}`)
}

/** A NAT that maps every destination to a port of its own. */
function symmetric(
  outside: string,
): (from: unknown, to: { port: number; address: Uint8Array }) => ReturnType<typeof at> {
  return (_from, to) => at(`${outside}:${5_000 + (to.address.at(-1) ?? 0)}`)
}

describe('endpoints', () => {
  test('D12: are what STUN saw, then the local addresses, with their types', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    const node = world.add({
      id: 1,
      addresses: ['192.168.1.5', '2001:db8::5'],
      seenAs: (local) => (local.address.length === 4 ? at('203.0.113.9:7777') : local),
    })
    world.clock.advanceBy(4_000)
    expect(typed(node)).toEqual([
      `${ENDPOINT_TYPE.stun} 203.0.113.9:7777`,
      `${ENDPOINT_TYPE.local} 192.168.1.5:41641`,
      `${ENDPOINT_TYPE.local} [2001:db8::5]:41641`,
    ])
    expect(node.news('endpoints')).toHaveLength(1)
  })

  test('D12: begin with what the gateway has mapped, for as long as it does', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    const node = world.add({ id: 1, addresses: ['192.168.1.5'], seenAs: () => at('203.0.113.9:7777') })
    world.clock.advanceBy(4_000)
    const services = { natPmp: true, pcp: false, upnp: false }
    node.sock.setPortMapping(at('203.0.113.9:50001'), services, world.clock.now())
    node.wake()
    world.clock.advanceBy(4_000)
    expect(typed(node)[0]).toBe(`${ENDPOINT_TYPE.portmapped} 203.0.113.9:50001`)
    expect(node.sock.report?.portMap).toEqual(services)
    node.sock.setPortMapping(undefined, services, world.clock.now())
    node.wake()
    world.clock.advanceBy(4_000)
    expect(typed(node).some((text) => text.endsWith(':50001'))).toBe(false)
  })

  test('D12: are told again when the set changes, and only then', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    let outside = at('203.0.113.9:7777')
    const node = world.add({ id: 1, addresses: ['192.168.1.5'], seenAs: () => outside })
    const friend = world.add({ id: 2, addresses: ['198.51.100.2'] })
    world.clock.advanceBy(100)
    node.meet(friend.config())
    node.keepSending(2, 1_000, 60_000)
    expect(node.news('endpoints')).toHaveLength(1)
    outside = at('203.0.113.9:8888')
    node.keepSending(2, 1_000, 30_000)
    expect(node.news('endpoints')).toHaveLength(2)
    // The old mapping is told for five minutes more.
    expect(typed(node)).toEqual(['2 203.0.113.9:8888', '2 203.0.113.9:7777', '1 192.168.1.5:41641'])
    node.keepSending(2, 1_000, 340_000)
    expect(typed(node)).toEqual(['2 203.0.113.9:8888', '1 192.168.1.5:41641'])
  })

  test('D12, D7: are looked up again every 20 to 26 s while active, and not when idle', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    const node = world.add({ id: 1, addresses: ['192.168.1.5'] })
    const friend = world.add({ id: 2, addresses: ['198.51.100.2'] })
    world.clock.advanceBy(100)
    node.meet(friend.config())
    node.keepSending(2, 1_000, 200_000)
    const looks = node.log.filter((entry) => entry.what === 'stun').map((entry) => entry.at)
    expect(looks.length).toBeGreaterThan(7)
    for (const [i, time] of looks.slice(1).entries()) {
      expect(time - looks[i]!).toBeGreaterThanOrEqual(20_000)
      expect(time - looks[i]!).toBeLessThanOrEqual(26_100)
    }
    world.clock.advanceBy(75_000)
    const idle = world.clock.now()
    world.clock.advanceBy(600_000)
    expect(node.sent('stun', idle)).toEqual([])
  })

  test('D13: behind a NAT that maps by destination that is reported, and a fixed port is guessed with', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    world.addRegion(2, '192.0.2.2:3478')
    const node = world.add({
      id: 1,
      addresses: ['192.168.1.5'],
      fixedPort: true,
      seenAs: symmetric('203.0.113.9'),
    })
    world.clock.advanceBy(4_000)
    expect(node.sock.report?.mappingVariesByDestIp).toBe(true)
    expect(typed(node)).toContain(`${ENDPOINT_TYPE.stun4LocalPort} 203.0.113.9:41641`)
  })

  test('behind a NAT that keeps one mapping nothing is guessed', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    world.addRegion(2, '192.0.2.2:3478')
    const node = world.add({
      id: 1,
      addresses: ['192.168.1.5'],
      fixedPort: true,
      seenAs: () => at('203.0.113.9:7'),
    })
    world.clock.advanceBy(4_000)
    expect(node.sock.report?.mappingVariesByDestIp).toBe(false)
    expect(typed(node)).toEqual(['2 203.0.113.9:7', '1 192.168.1.5:41641'])
  })

  test('are not told before there is a relay map, which may be empty', () => {
    const world = new World()
    const node = world.add({ id: 1, addresses: ['192.168.1.5'] })
    expect(typed(node)).toEqual(['1 192.168.1.5:41641'])
    expect(node.sock.homeRelay).toBe(0)
  })
})

describe('a lost relay', () => {
  test('makes for another look, but not for one at every failed attempt to reconnect', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    const node = world.add({ id: 1, addresses: ['192.168.1.5'] })
    world.clock.advanceBy(10_000)
    const since = world.clock.now()
    for (let i = 0; i < 100; i++) {
      node.sock.handleRelayLost(1, world.clock.now())
      node.wake()
      world.clock.advanceBy(100)
    }
    expect(node.sent('stun', since)).toHaveLength(2)
  })
})

describe('local addresses', () => {
  const select = (
    list: readonly [name: string, address: string, bits?: number][],
    loopback = false,
  ): string[] => {
    const interfaces = list.map(([interfaceName, address, prefixBits = 64]) => {
      return { interfaceName, address: parseAddress(address)!, prefixBits }
    })
    return selectLocalAddresses(interfaces, loopback).map(formatAddress)
  }

  test('D12: leave out loopback, overlays, IPv6 link-local, and the doubtful when there are better', () => {
    expect(
      select([
        ['lo', '127.0.0.1'],
        ['lo', '::1'],
        ['eth0', '192.168.1.5'],
        ['eth0', 'fe80::1'],
        ['eth0', '169.254.7.7'],
        ['eth0', 'fd00::5'],
        ['eth0', '2001:db8::5'],
        ['mesh0', '100.64.0.3'],
        ['mesh0', 'fd7a:115c:a1e0::3'],
        ['ztabcdef', '10.147.20.5'],
        ['wt0', '10.1.2.3'],
      ]),
    ).toEqual(['192.168.1.5', '2001:db8::5'])
  })

  test('D12: are the doubtful ones when there are no others, and loopback when there is nothing', () => {
    expect(
      select([
        ['lo', '127.0.0.1'],
        ['eth0', '169.254.7.7'],
        ['eth0', 'fd00::5'],
      ]),
    ).toEqual(['169.254.7.7', 'fd00::5'])
    expect(
      select([
        ['lo', '127.0.0.1'],
        ['lo', '::1'],
        ['eth0', 'fe80::1'],
      ]),
    ).toEqual(['127.0.0.1', '::1'])
  })

  test('include loopback beside the others when that is allowed', () => {
    expect(
      select(
        [
          ['lo', '127.0.0.1'],
          ['eth0', '192.168.1.5'],
        ],
        true,
      ),
    ).toEqual(['127.0.0.1', '192.168.1.5'])
  })

  test('D12: hold at most two IPv6 addresses of an interface and prefix length', () => {
    expect(
      select([
        ['eth0', '2001:db8::1'],
        ['eth0', '2001:db8::2'],
        ['eth0', '2001:db8::3'],
        ['eth0', '2001:db8::4', 128],
        ['eth1', '2001:db8::5'],
      ]),
    ).toEqual(['2001:db8::1', '2001:db8::2', '2001:db8::4', '2001:db8::5'])
  })
})

describe('the home relay', () => {
  test('is the region that answers first, and its connection is opened', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    world.addRegion(2, '192.0.2.2:3478')
    world.latency = (_from, to) => (to === '192.0.2.2:3478' ? 5 : 60)
    const node = world.add({ id: 1, addresses: ['198.51.100.1'] })
    world.clock.advanceBy(4_000)
    expect(node.news('home-relay').map((e) => e.region)).toEqual([2])
    expect(node.outputs.filter((o) => o.kind === 'connect-relay')).toEqual([
      { kind: 'connect-relay', region: 2 },
    ])
  })

  test('D15: is some region when none can be measured', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    world.addRegion(2, '192.0.2.2:3478')
    world.isLost = () => true
    const node = world.add({ id: 1, addresses: ['198.51.100.1'] })
    world.clock.advanceBy(4_000)
    expect([1, 2]).toContain(node.sock.homeRelay)
    expect(node.sock.report?.udp).toBe(false)
  })

  test('D14: does not move while control is not connected', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    world.addRegion(2, '192.0.2.2:3478')
    world.latency = (_from, to) => (to === '192.0.2.2:3478' ? 100 : 10)
    const node = world.add({ id: 1, addresses: ['198.51.100.1'] })
    world.clock.advanceBy(4_000)
    expect(node.sock.homeRelay).toBe(1)
    node.sock.setControlConnected(false)
    world.latency = (_from, to) => (to === '192.0.2.2:3478' ? 1 : 200)
    world.clock.advanceBy(400_000)
    node.sock.restun(world.clock.now())
    node.wake()
    world.clock.advanceBy(4_000)
    expect(node.sock.homeRelay).toBe(1)
    node.sock.setControlConnected(true)
    node.sock.restun(world.clock.now())
    node.wake()
    world.clock.advanceBy(4_000)
    expect(node.sock.homeRelay).toBe(2)
  })

  test('is chosen anew when the map no longer has it', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    const node = world.add({ id: 1, addresses: ['198.51.100.1'] })
    world.clock.advanceBy(4_000)
    world.relays = new Map()
    world.addRegion(2, '192.0.2.2:3478')
    node.sock.setRelays(world.relays, world.clock.now())
    node.wake()
    world.clock.advanceBy(4_000)
    expect(node.sock.homeRelay).toBe(2)
    expect(node.outputs.filter(isAboutRelays)).toEqual([
      { kind: 'connect-relay', region: 1 },
      { kind: 'close-relay', region: 1 },
      { kind: 'connect-relay', region: 2 },
    ])
  })

  const regions = new Map(
    [1, 2].map((id) => [id, { id, code: '', noMeasureNoHome: false, score: 1, nodes: [] }]),
  )
  const choose = (
    home: number,
    one: number | undefined,
    two: number | undefined,
    heardAt = -Infinity,
  ): number => {
    const latency = new Map<number, number>()
    if (one !== undefined) latency.set(1, one)
    if (two !== undefined) latency.set(2, two)
    return new HomeChoice().choose(
      { latency, relays: regions, home, startedAt: 0, homeHeardAt: heardAt },
      1_000,
    )
  }
  const table: [what: string, chosen: number, expected: number][] = [
    ['a rival by far the better takes over', choose(1, 100, 20), 2],
    ['one that saves less than 10 ms does not', choose(1, 14, 5), 1],
    ['one less than a third better does not', choose(1, 100, 67), 1],
    ['one just over a third better does', choose(1, 100, 66), 2],
    ['a home that answers no STUN but is heard from stays', choose(1, undefined, 20, 500), 1],
    ['a home that is silent goes', choose(1, undefined, 20), 2],
    ['nothing measured, heard within two minutes: stays', choose(1, undefined, undefined, -100_000), 1],
    ['nothing measured, not heard: no telling', choose(1, undefined, undefined, -200_000), 0],
  ]
  test.each(table)('D14: %s', (_what, chosen, expected) => {
    expect(chosen).toBe(expected)
  })

  test('D14: scores weigh the regions', () => {
    const scored = new Map([...regions].map(([id, region]) => [id, { ...region, score: id === 2 ? 0.5 : 1 }]))
    const input = {
      latency: new Map([
        [1, 50],
        [2, 80],
      ]),
      relays: scored,
      home: 0,
      startedAt: 0,
      homeHeardAt: 0,
    }
    expect(new HomeChoice().choose(input, 0)).toBe(2)
  })

  test('other regions are connected to on demand, and closed 60 s after the last packet sent there', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    world.addRegion(2, '192.0.2.2:3478')
    world.latency = (_from, to) => (to === '192.0.2.2:3478' ? 90 : 5)
    const node = world.add({ id: 1, addresses: ['198.51.100.1'] })
    const friend = world.add({ id: 2, addresses: ['198.51.100.2'] })
    world.clock.advanceBy(4_000)
    world.isLost = (_from, to) => to.startsWith('198.51.')
    node.meet(friend.config({ homeRelay: 2, endpoints: [] }))
    node.send(2)
    const openedAt = world.clock.now()
    expect(node.outputs.filter(isAboutRelays).at(-1)).toEqual({ kind: 'connect-relay', region: 2 })
    while (node.outputs.at(-1)?.kind !== 'close-relay') world.clock.advanceBy(1_000)
    expect(node.outputs.at(-1)).toEqual({ kind: 'close-relay', region: 2 })
    // Heartbeat rounds of an active session go through the relay too.
    expect(world.clock.now() - openedAt).toBeGreaterThan(60_000)
    expect(world.clock.now() - openedAt).toBeLessThan(130_000)
    expect(node.sock.homeRelay).toBe(1)
  })

  test('a peer is answered where it was heard when that saves a connection, until it is gone from there', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    world.addRegion(2, '192.0.2.2:3478')
    world.latency = (_from, to) => (to === '192.0.2.2:3478' ? 90 : 5)
    const node = world.add({ id: 1, addresses: ['198.51.100.1'] })
    const friend = world.add({ id: 2, addresses: ['198.51.100.2'] })
    world.clock.advanceBy(4_000)
    node.meet(friend.config({ homeRelay: 2, endpoints: [] }))
    node.receiveRelayed(1, friend.nodeKey, Uint8Array.of(4, 0, 0, 0))
    node.send(2)
    expect(node.sent('wireguard')).toEqual(['relay 1'])
    node.sock.handlePeerGone(1, friend.nodeKey)
    node.send(2)
    expect(node.sent('wireguard')).toEqual(['relay 1', 'relay 2'])
  })
})

describe('a netcheck', () => {
  const regionAt = (id: number) => ({
    id,
    code: '',
    noMeasureNoHome: id === 9,
    score: 1,
    nodes: [
      {
        name: '',
        hostName: '',
        ipv4: parseAddress(`192.0.2.${id}`),
        ipv6: parseAddress(`2001:db8::${id}`),
        stunPort: 0,
      },
    ],
  })
  const relays = new Map([1, 2, 3, 4, 5, 9].map((id) => [id, regionAt(id)]))

  test('asks every region in both families three times at first, but not those never to be measured', () => {
    const plan = planProbes({ relays, home: 0, last: undefined, ipv4: true, ipv6: true })
    expect(plan).toHaveLength(10)
    expect(plan.map((list) => list.probes.map((p) => p.delay))).toEqual(plan.map(() => [0, 100, 200]))
    expect(plan.every((list) => list.probes.every((p) => p.to.port === 3478))).toBe(true)
  })

  test('asks the three fastest and the home later, the home most often', () => {
    const last = new ReportBuilder()
    for (const [region, latency] of [
      [1, 50],
      [2, 10],
      [3, 30],
      [4, 20],
      [5, 90],
    ] as const) {
      last.add(region, latency, at('203.0.113.9:9'))
    }
    const plan = planProbes({ relays, home: 5, last: last.finish(2), ipv4: true, ipv6: false })
    expect(plan.map(({ region, probes }) => [region, probes.map((p) => p.delay)])).toEqual([
      [2, [0, 12]],
      [4, [0, 24]],
      [3, [0]],
      [5, [0, 108, 316, 474]],
    ])
  })

  test('ends when everybody has answered, and reports by region and family', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    world.addRegion(2, '192.0.2.2:3478')
    world.latency = (from, to) => (from !== undefined && to === '192.0.2.2:3478' ? 31 : 10)
    const node = world.add({ id: 1, addresses: ['198.51.100.1'] })
    world.clock.advanceBy(100)
    expect(node.sock.report).toMatchObject({ udp: true, ipv4: true, ipv6: false, preferredRelay: 1 })
    expect([...node.sock.report!.regionV4Latency]).toEqual([
      [1, 20],
      [2, 41],
    ])
    expect(node.sent('stun')).toHaveLength(2)
  })

  test('repeats what is lost, and ends after 3 s', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    world.isLost = () => true
    const node = world.add({ id: 1, addresses: ['198.51.100.1'] })
    world.clock.advanceBy(2_999)
    expect(node.sent('stun')).toHaveLength(3)
    expect(node.news('netcheck')).toEqual([])
    world.clock.advanceBy(1)
    expect(node.news('netcheck')).toHaveLength(1)
  })

  test('does not wait long for a family that does not work', () => {
    const world = new World()
    world.addRegion(1, '192.0.2.1:3478')
    world.relays = new Map([
      [
        1,
        {
          ...world.relays.get(1)!,
          nodes: world.relays.get(1)!.nodes.map((n) => ({ ...n, ipv6: parseAddress('2001:db8::1') })),
        },
      ],
    ])
    const node = world.add({ id: 1, addresses: ['198.51.100.1', '2001:db8::5'] })
    world.clock.advanceBy(400)
    expect(node.sock.report).toMatchObject({ ipv4: true, ipv6: false })
  })

  test('takes no answer that was not asked for', () => {
    const world = new World()
    const node = world.add({ id: 1, addresses: ['198.51.100.1'] })
    const response = Uint8Array.from(
      '0101000c2112a442000102030405060708090a0b00200008000183bbea12d545'.match(/../g)!,
      (h) => parseInt(h, 16),
    )
    node.receive(response, at('192.0.2.1:3478'))
    expect(node.sock.drops['stun-unexpected']).toBe(1)
  })
})

describe('a DERP map', () => {
  test('becomes relays: addresses read, names left to be looked up, test addresses preferred', () => {
    const relays = relayMapOf({
      HomeParams: { RegionScore: { 1: 0.5 } },
      Regions: {
        1: {
          RegionID: 1,
          RegionCode: 'fra',
          RegionName: 'Frankfurt',
          Nodes: [
            { Name: '1a', RegionID: 1, HostName: 'a.example' },
            { Name: '1b', RegionID: 1, HostName: 'b.example', IPv4: '192.0.2.1', IPv6: 'none', STUNPort: -1 },
            { Name: '1c', RegionID: 1, HostName: '127.0.0.1', STUNPort: 3479 },
            { Name: '1d', RegionID: 1, HostName: 'd.example', IPv4: '192.0.2.1', STUNTestIP: '127.0.0.1' },
          ],
        },
      },
    })
    const region = relays.get(1)!
    expect(region).toMatchObject({ id: 1, code: 'fra', score: 0.5, noMeasureNoHome: false })
    const rows = region.nodes.map((n) => [n.name, n.ipv4?.join('.'), n.ipv6, n.lookUp, n.stunPort])
    expect(rows).toEqual([
      ['1a', undefined, undefined, true, 0],
      ['1b', '192.0.2.1', undefined, false, -1],
      ['1c', '127.0.0.1', undefined, false, 3479],
      ['1d', '127.0.0.1', undefined, false, 0],
    ])
  })
})

function isAboutRelays(output: MagicSockOutput): boolean {
  return output.kind === 'connect-relay' || output.kind === 'close-relay'
}
