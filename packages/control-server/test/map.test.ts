import type { MapResponse, Node } from '@mesh/wire/control'
import { decodeMapResponse } from '@mesh/wire/control'
import { expect, test } from 'vitest'
import { BATCH_INTERVAL, KEEP_ALIVE_INTERVAL, KEEP_ALIVE_JITTER, OFFLINE_GRACE } from '../src/index.ts'
import { DERP_MAP, hexOf, joined, World } from './support.ts'

/** Lets what was gathered go out, and returns what the exchange heard since its first response. */
function heard(world: World, exchange: number): MapResponse[] {
  world.advance(BATCH_INTERVAL)
  return world.mapsOf(exchange).slice(1)
}

/** Forgets what was said so far. */
function settle(world: World): void {
  world.advance(BATCH_INTERVAL)
  world.collect()
}

function last(world: World, exchange: number): MapResponse | undefined {
  return heard(world, exchange).at(-1)
}

test('control 29: a stream begins with a full snapshot', () => {
  const world = new World()
  joined(world, 1)
  const second = joined(world, 2)
  const [first] = world.mapsOf(second.stream())
  expect(first).toMatchObject({
    Node: { ID: 2, Name: 'box-2.mesh.internal.', MachineAuthorized: true, Key: second.nodeKey },
    DERPMap: DERP_MAP,
    Peers: [{ ID: 1, Name: 'box-1.mesh.internal.', HomeDERP: 900, Endpoints: ['192.0.2.1:41641'] }],
    DNSConfig: { Domains: ['mesh.internal'], Proxied: true },
    Domain: 'mesh.internal',
    PacketFilters: { base: [{ SrcIPs: ['*'] }] },
    UserProfiles: [{ ID: 1, LoginName: 'ann', DisplayName: 'ann' }],
    SSHPolicy: { rules: [] },
  })
  expect(decodeMapResponse(JSON.parse(JSON.stringify(first)))).toBeDefined()
})

test('control 50: a full response carries the clock of the server', () => {
  const world = new World()
  const [first] = world.mapsOf(joined(world, 1).stream())
  expect(Date.parse(first?.ControlTime ?? '')).toBe(world.wall)
})

test('control 38: every node of every response is whole where clients need it', () => {
  const world = new World()
  const machines = [1, 2, 3].map((number) => joined(world, number))
  const stream = machines[0]?.stream() ?? 0
  const other = machines[1]?.stream() ?? 0
  machines[1]?.tell({ Hostinfo: { Hostname: 'renamed', OS: 'linux' } })
  machines[1]?.gone(other)
  world.advance(OFFLINE_GRACE + BATCH_INTERVAL)
  const nodes = world.mapsOf(stream).flatMap((map) => {
    return [map.Node, ...(map.Peers ?? []), ...(map.PeersChanged ?? [])].filter(
      (node): node is Node => !!node,
    )
  })
  expect(nodes.length).toBeGreaterThan(3)
  for (const node of nodes) {
    expect(node.ID).toBeGreaterThan(0)
    expect(node.Name).toMatch(/^[a-z0-9-]+\.mesh\.internal\.$/)
    expect(typeof node.Online).toBe('boolean')
    expect(node.Addresses).toEqual([
      expect.stringMatching(/^100\..*\/32$/),
      expect.stringMatching(/^fd7a:.*\/128$/),
    ])
  }
})

test('control 30: keep-alives come at most every 60 s, alone, and after the last real message', () => {
  const world = new World()
  const machine = joined(world, 1)
  const stream = machine.stream()
  world.advance(30_000)
  const other = joined(world, 2)
  settle(world)
  const before = world.mapsOf(stream).length
  world.advance(KEEP_ALIVE_INTERVAL - 1000)
  expect(world.mapsOf(stream)).toHaveLength(before)
  world.advance(1000 + KEEP_ALIVE_JITTER)
  expect(world.mapsOf(stream).slice(before)).toEqual([{ KeepAlive: true }])
  world.advance(10 * 60_000)
  expect(world.mapsOf(stream).slice(before).length).toBeGreaterThanOrEqual(10)
  expect(other).toBeDefined()
})

test('control 31: an update ends at once and leaves the stream alone', () => {
  const world = new World()
  const machine = joined(world, 1)
  const stream = machine.stream()
  const update = machine.tell({ Endpoints: ['198.51.100.1:1'] })
  expect(world.said(update)).toEqual([{ kind: 'taken', exchange: update }])
  expect(world.said(stream).every((output) => output.kind === 'map-response')).toBe(true)
})

test('control 32: a stream without endpoints or NetInfo erases nothing', () => {
  const world = new World()
  const machine = joined(world, 1)
  machine.stream({ Hostinfo: { Hostname: 'stale' }, DiscoKey: `discokey:${hexOf(0)}` })
  machine.stream({ DiscoKey: `discokey:${hexOf(5)}` })
  expect(world.coordinator.nodes.all()[0]?.node).toMatchObject({
    givenName: 'box-1',
    endpoints: ['192.0.2.1:41641'],
    discoKey: machine.discoKey,
    hostinfo: { NetInfo: { PreferredDERP: 900 } },
  })
})

test('an update without NetInfo keeps the home relay, and one without a disco key keeps that', () => {
  const world = new World()
  const machine = joined(world, 1)
  machine.tell({ Hostinfo: { Hostname: 'box-1' }, Endpoints: [], DiscoKey: `discokey:${hexOf(0)}` })
  expect(world.coordinator.nodes.all()[0]?.node).toMatchObject({
    endpoints: [],
    discoKey: machine.discoKey,
    hostinfo: { NetInfo: { PreferredDERP: 900 } },
  })
})

test('control 33: new endpoints and a new home relay reach a peer as patches', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const machine = joined(world, 2)
  machine.stream()
  settle(world)
  machine.tell({ Endpoints: ['198.51.100.1:1', '[2001:db8::1]:2'] })
  expect(last(world, watcher)).toEqual({
    PeersChangedPatch: [{ NodeID: 2, Endpoints: ['198.51.100.1:1', '[2001:db8::1]:2'] }],
    ControlTime: expect.anything() as unknown,
  })
  machine.tell({
    Hostinfo: { Hostname: 'box-2', OS: 'linux', NetInfo: { PreferredDERP: 901 } },
    Endpoints: [],
  })
  expect(last(world, watcher)?.PeersChangedPatch).toEqual([{ NodeID: 2, DERPRegion: 901, Endpoints: [] }])
})

test('control 34: what a machine measures all the time is not told to its peers', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const machine = joined(world, 2)
  machine.stream()
  settle(world)
  const before = world.mapsOf(watcher).length
  for (const latency of [0.01, 0.02, 0.03]) {
    machine.tell({
      Hostinfo: {
        Hostname: 'box-2',
        OS: 'linux',
        NetInfo: { PreferredDERP: 900, DERPLatency: { '900-v4': latency } },
      },
      Endpoints: ['192.0.2.2:41641'],
    })
    settle(world)
  }
  expect(world.mapsOf(watcher)).toHaveLength(before)
})

test('control 35: a node that went away is offline after the grace, with when it was last seen', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const machine = joined(world, 2)
  const stream = machine.stream()
  settle(world)
  const before = world.mapsOf(watcher).length
  machine.gone(stream)
  world.advance(OFFLINE_GRACE - 1)
  expect(world.mapsOf(watcher)).toHaveLength(before)
  world.advance(1 + BATCH_INTERVAL)
  expect(world.mapsOf(watcher).at(-1)?.PeersChangedPatch).toEqual([
    { NodeID: 2, Online: false, LastSeen: expect.stringMatching(/^2026-01-01T00:00:01/) as unknown },
  ])
  machine.stream()
  expect(last(world, watcher)?.PeersChangedPatch).toEqual([{ NodeID: 2, Online: true }])
})

test('control 35: a node that reconnects within the grace, or overlaps, never looks offline', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const machine = joined(world, 2)
  const first = machine.stream()
  settle(world)
  const before = world.mapsOf(watcher).length
  machine.gone(first)
  world.advance(OFFLINE_GRACE / 2)
  const second = machine.stream()
  const third = machine.stream()
  machine.gone(second)
  world.advance(2 * OFFLINE_GRACE)
  expect(world.mapsOf(third).length).toBeGreaterThan(0)
  expect(world.mapsOf(watcher)).toHaveLength(before)
})

test('control 8: streams of one node live side by side, within bounds', () => {
  const world = new World()
  const machine = joined(world, 1)
  const streams = [1, 2, 3, 4, 5].map(() => machine.stream())
  joined(world, 2)
  settle(world)
  const ends = streams.map((stream) => world.said(stream).some((output) => output.kind === 'end'))
  expect(ends).toEqual([true, false, false, false, false])
  for (const stream of streams.slice(1)) expect(world.mapsOf(stream).at(-1)).toHaveProperty('PeersChanged')
})

test('control 36: deleting the only peer says so by PeersRemoved', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const machine = joined(world, 2)
  const stream = machine.stream()
  settle(world)
  world.coordinator.nodes.delete(2, world.now)
  expect(last(world, watcher)).toEqual({ PeersRemoved: [2], ControlTime: expect.anything() as unknown })
  const [farewell, end] = world.said(stream).slice(-2)
  expect(farewell).toMatchObject({ response: { Node: { ID: 2, Expired: true } } })
  expect(end).toMatchObject({ kind: 'end' })
})

test('control 42: the map of a node that is not there is refused with a text', () => {
  const world = new World()
  for (const request of [{ Stream: true }, { OmitPeers: true }]) {
    expect(world.said(world.machine(9).map(request))).toMatchObject([{ kind: 'refuse', status: 404 }])
  }
})

test('control 20: a rotated key is told to peers as a patch within one batch, with when it expires', () => {
  const world = new World({ nodeKeyLifetime: 7 * 24 * 3600_000 })
  const watcher = joined(world, 1).stream()
  const machine = joined(world, 2)
  const stream = machine.stream()
  settle(world)
  machine.nodeKey = `nodekey:${hexOf(77)}`
  machine.login(world.key({ user: 'ann' }))
  const KeyExpiry = new Date(world.wall + 7 * 24 * 3600_000).toISOString()
  expect(heard(world, watcher).slice(-1)).toEqual([
    {
      PeersChangedPatch: [expect.objectContaining({ NodeID: 2, Key: machine.nodeKey, KeyExpiry })],
      ControlTime: expect.anything() as unknown,
    },
  ])
  expect(world.said(stream).at(-1)).toMatchObject({ kind: 'end' })
})

test('a new disco key travels with the online state, or clients would ignore it', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const machine = joined(world, 2)
  machine.stream()
  settle(world)
  machine.discoKey = `discokey:${hexOf(5)}`
  machine.tell({ Endpoints: ['192.0.2.2:41641'] })
  expect(last(world, watcher)?.PeersChangedPatch).toEqual([
    { NodeID: 2, DiscoKey: machine.discoKey, Online: true },
  ])
})

test('a new node comes to the others whole, with the profile of its owner', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  joined(world, 2, 'bob')
  expect(last(world, watcher)).toMatchObject({
    PeersChanged: [{ ID: 2, User: 2, HomeDERP: 900 }],
    UserProfiles: [{ ID: 2, LoginName: 'bob' }],
    Node: { ID: 1 },
  })
})

test('a burst of changes becomes one response', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  settle(world)
  const before = world.mapsOf(watcher).length
  for (const number of [2, 3, 4, 5]) joined(world, number)
  settle(world)
  expect(world.mapsOf(watcher)).toHaveLength(before + 1)
  expect(world.mapsOf(watcher).at(-1)?.PeersChanged).toHaveLength(4)
})

test('a change taken back within a batch is not told at all', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const machine = joined(world, 2)
  settle(world)
  const before = world.mapsOf(watcher).length
  machine.tell({ Endpoints: ['198.51.100.1:1'] })
  machine.tell({ Endpoints: ['192.0.2.2:41641'] })
  settle(world)
  expect(world.mapsOf(watcher)).toHaveLength(before)
})

test('control 45: nodes are told the search domains and extra records, and nothing takes the name of the server from them', () => {
  const extraRecords = [{ Name: 'printer.corp.example', Type: 'A', Value: '100.64.0.99' }]
  const serverUrl = 'https://control.example.com'
  const searchDomains = ['corp.example', 'example.com']
  const world = new World({ serverUrl, searchDomains, extraRecords })
  const dns = world.mapsOf(joined(world, 1).stream())[0]?.DNSConfig
  expect(dns).toEqual({
    Domains: ['mesh.internal', 'corp.example', 'example.com'],
    Proxied: true,
    ExtraRecords: extraRecords,
  })
  // A suffix that the node answers itself, or asks others about, would hide the server's own name (control 56).
  const suffixes = ['mesh.internal', ...Object.keys(dns?.Routes ?? {})]
  for (const suffix of suffixes) expect(new URL(serverUrl).hostname.endsWith(suffix)).toBe(false)
  expect(() => new World({ serverUrl, baseDomain: 'example.com' })).toThrow(/clients could then not resolve/)
})

test('resolvers take the place of the nodes own, or stand behind them when told so', () => {
  const dns = (options: object): unknown => {
    const world = new World(options)
    return world.mapsOf(joined(world, 1).stream())[0]?.DNSConfig
  }
  const nameservers = ['1.1.1.1', '[2001:db8::1]:5353', 'https://dns.example/dns-query']
  const resolvers = nameservers.map((Addr) => ({ Addr }))
  const rest = { Domains: ['mesh.internal'], Proxied: true }
  expect(dns({})).toEqual(rest)
  expect(dns({ nameservers })).toEqual({ ...rest, Resolvers: resolvers })
  expect(dns({ nameservers, overrideLocalDns: false })).toEqual({ ...rest, FallbackResolvers: resolvers })
  expect(() => new World({ nameservers: ['dns.example'] })).toThrow('"dns.example" is no address')
})

test('threat 19: an expired node sees nobody, and the others see that it is expired, at once', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const machine = joined(world, 2)
  const stream = machine.stream()
  settle(world)
  world.coordinator.nodes.expire(2, world.now)
  expect(last(world, watcher)?.PeersChanged).toMatchObject([
    { ID: 2, Expired: true, KeyExpiry: new Date(world.wall - BATCH_INTERVAL).toISOString() },
  ])
  expect(world.mapsOf(stream).at(-1)).toMatchObject({ Node: { ID: 2, Expired: true }, PeersRemoved: [1] })
  expect(world.mapsOf(machine.stream())[0]?.Peers).toEqual([])
})

test('threat 19: a key that runs out by itself is told to the others within a batch', () => {
  const world = new World({ nodeKeyLifetime: 3 * 3600_000 })
  const watched = joined(world, 1)
  world.advance(60_000)
  const watcher = joined(world, 2).stream()
  watched.stream()
  world.advance(3 * 3600_000 - 60_000 + BATCH_INTERVAL)
  expect(
    world.mapsOf(watcher).at(-1)?.PeersChanged ?? world.mapsOf(watcher).at(-2)?.PeersChanged,
  ).toMatchObject([{ ID: 1, Expired: true }])
})

test('a renamed machine gets a new name, told to itself and to the others', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const machine = joined(world, 2)
  const stream = machine.stream()
  settle(world)
  machine.tell({ Hostinfo: { Hostname: 'Ann’s Box!', OS: 'linux' } })
  expect(last(world, watcher)?.PeersChanged).toMatchObject([{ Name: 'anns-box.mesh.internal.' }])
  expect(last(world, stream)?.Node).toMatchObject({ Name: 'anns-box.mesh.internal.' })
})

test('invariant 6: endpoints that are no endpoints never reach a peer, nor more than a handful', () => {
  const world = new World()
  joined(world, 1)
  const machine = joined(world, 2)
  const many = Array.from({ length: 500 }, (_, i) => `198.51.100.1:${i + 1}`)
  machine.tell({
    Endpoints: ['example.com:1', '1.2.3.4', '1.2.3.4:0', '1.2.3.4:99999', '', '01.2.3.4:5', ...many],
  })
  const endpoints = world.coordinator.nodes.all()[1]?.node.endpoints ?? []
  expect(endpoints).toEqual(many.slice(0, 32))
})

test('invariant 6, threat 26: of what a machine says of its network no more is kept than relays can be', () => {
  const world = new World()
  const machine = joined(world, 1)
  const DERPLatency = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`${i + 1}-v4`, 0.1]))
  const long = 'x'.repeat(1 << 19)
  machine.tell({
    Hostinfo: {
      Hostname: 'box-1',
      NetInfo: { PreferredDERP: 900, LinkType: long, DERPLatency: { [long]: 1, ...DERPLatency } },
    },
  })
  const [node] = world.coordinator.nodes.all()
  expect(node?.node.hostinfo.NetInfo).toMatchObject({ PreferredDERP: 900, LinkType: 'x'.repeat(255) })
  expect(Object.keys(node?.node.hostinfo.NetInfo?.DERPLatency ?? {})).toHaveLength(64)
})

test('invariant 6: a hostile report is cut down to text that can be shown', () => {
  const world = new World()
  const machine = joined(world, 1)
  machine.tell({
    Hostinfo: {
      Hostname: `"; rm -rf ~\n\u202e${'x'.repeat(5000)}`,
      OS: '\u001b[2Jlinux',
      Services: [
        { Proto: 'peerapi4', Port: 1234 },
        { Proto: 'evil', Port: 1 },
        { Proto: 'tcp', Port: 99999 },
      ],
    },
  })
  const { node } = world.coordinator.nodes.all()[0] ?? {}
  expect(node?.givenName).toMatch(/^rm-rf-x+$/)
  expect(node?.givenName.length).toBeLessThanOrEqual(63)
  expect(node?.hostinfo).toMatchObject({ OS: '[2Jlinux', Services: [{ Proto: 'peerapi4', Port: 1234 }] })
  expect(node?.hostinfo.Hostname).toHaveLength(255)
})

test('a request without Stream and OmitPeers gets one snapshot and the end', () => {
  const world = new World()
  joined(world, 1)
  const once = joined(world, 2).map()
  expect(world.said(once)).toMatchObject([
    { kind: 'map-response', response: { Node: { ID: 2 }, Peers: [{ ID: 1 }] } },
    { kind: 'end' },
  ])
})

test('peers see the capability version of the subject', () => {
  const world = new World()
  joined(world, 1).tell({ Version: 130 })
  const [first] = world.mapsOf(joined(world, 2).stream())
  expect(first?.Peers).toMatchObject([{ Cap: 130 }])
})

test('what a machine reports of itself does not come back to it', () => {
  const world = new World()
  const machine = joined(world, 1)
  const stream = machine.stream()
  settle(world)
  const before = world.mapsOf(stream).length
  machine.tell({
    Hostinfo: {
      Hostname: 'box-1',
      OS: 'linux',
      NetInfo: { PreferredDERP: 901 },
      Services: [{ Proto: 'peerapi4', Port: 1 }],
    },
    Endpoints: ['198.51.100.1:1'],
  })
  settle(world)
  expect(world.mapsOf(stream)).toHaveLength(before)
})
