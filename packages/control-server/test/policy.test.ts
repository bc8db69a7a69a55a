// What a written policy does to the maps of a network, and when.
import type { MapResponse } from '@mesh/wire/control'
import { encodeMapResponse } from '@mesh/wire/control'
import { expect, test } from 'vitest'
import { BATCH_INTERVAL, MemoryStore, OFFLINE_GRACE } from '../src/index.ts'
import { joined, World } from './support.ts'

const ALLOW_ALL = '{"acls":[{"action":"accept","src":["*"],"dst":["*:*"]}]}'
const ANN_TO_BOB = '{"acls":[{"action":"accept","src":["ann@"],"dst":["bob@:22"]}]}'

/** What a stream hears from now on. */
function listener(world: World, exchange: number): () => MapResponse[] {
  world.advance(BATCH_INTERVAL)
  let heard = world.mapsOf(exchange).length
  return () => {
    world.advance(BATCH_INTERVAL)
    const maps = world.mapsOf(exchange)
    const news = maps.slice(heard)
    heard = maps.length
    return news
  }
}

test('control 37: a policy that hides two nodes from each other removes them, and says nothing of them any more', () => {
  const world = new World()
  const [ann, bob, cat] = ['ann', 'bob', 'cat'].map((user, index) => joined(world, index + 1, user))
  const [toAnn, toCat] = [listener(world, ann!.stream()), listener(world, cat!.stream())]
  const bobs = bob!.stream()
  toCat()
  toAnn()
  world.coordinator.policies.set(ANN_TO_BOB, world.now)
  expect(toCat()).toMatchObject([{ PeersRemoved: [1, 2], PacketFilters: { base: [] } }])
  expect(toAnn()).toMatchObject([{ PeersRemoved: [3] }])
  bob!.tell({ Endpoints: ['198.51.100.9:9'] })
  expect(toCat()).toEqual([])
  expect(toAnn()).toMatchObject([{ PeersChangedPatch: [{ NodeID: 2 }] }])
  cat!.tell({ Endpoints: ['198.51.100.8:8'] })
  expect([toAnn(), toCat()]).toEqual([[], []])
  bob!.gone(bobs)
  world.advance(OFFLINE_GRACE)
  expect(toAnn()).toMatchObject([{ PeersChangedPatch: [{ NodeID: 2, Online: false }] }])
  expect(toCat()).toEqual([])
  world.coordinator.policies.set(ALLOW_ALL, world.now)
  const [back] = toCat()
  expect(back?.PeersChanged?.map(({ ID }) => ID)).toEqual([1, 2])
  expect(back?.PeersRemoved).toBeUndefined()
})

test('control 37: whom a policy brings into sight comes with the profile of their owner', () => {
  const world = new World()
  const [, cat] = ['ann', 'cat'].map((user, index) => joined(world, index + 1, user))
  world.coordinator.policies.set('{"acls":[]}', world.now)
  const stream = cat!.stream()
  const toCat = listener(world, stream)
  expect(JSON.stringify(world.mapsOf(stream))).not.toContain('"ann"')
  world.coordinator.policies.set(ALLOW_ALL, world.now)
  expect(toCat()).toMatchObject([
    { PeersChanged: [{ ID: 1, User: 1 }], UserProfiles: [{ ID: 1, LoginName: 'ann' }] },
  ])
})

test('control 39: where nothing is let in a node is told so by a part that is there and empty', () => {
  const world = new World()
  const ann = joined(world, 1)
  world.coordinator.policies.set('{"acls":[]}', world.now)
  const stream = ann.stream()
  const toAnn = listener(world, stream)
  const written = (map: MapResponse | undefined): string =>
    map === undefined ? '' : new TextDecoder().decode(encodeMapResponse(map))
  expect(written(world.mapsOf(stream)[0])).toContain('"PacketFilters":{"base":[]}')
  world.coordinator.policies.set(ALLOW_ALL, world.now)
  expect(toAnn().at(-1)?.PacketFilters?.['base']).toHaveLength(1)
  world.coordinator.policies.set('{"acls":[]}', world.now)
  expect(written(toAnn().at(-1))).toContain('"PacketFilters":{"base":[]}')
})

test('a device that becomes unfit is kept out at once, and let in again when it is fit', () => {
  const world = new World()
  const [ann, bob] = ['ann', 'bob'].map((user, index) => joined(world, index + 1, user))
  ann!.tell({ Hostinfo: { Hostname: 'a', OS: 'macOS', IPNVersion: '1.98.2-t1' } })
  const policy = `{
    "postures": { "posture:fit": ["node:os IN ['macos', 'linux']", "node:tsVersion >= '1.90'", "custom:tier == 'prod'"] },
    "acls": [{ "action": "accept", "src": ["ann@"], "dst": ["bob@:22"], "srcPosture": ["posture:fit"] }],
  }`
  world.coordinator.policies.set(policy, world.now)
  const stream = bob!.stream()
  const toBob = listener(world, stream)
  expect(world.mapsOf(stream).map(({ Peers }) => Peers ?? [])).toEqual([[]])
  world.coordinator.reports.updateAttributes(1, { 'custom:tier': 'prod' }, world.now)
  const sources = [expect.stringMatching(/^100\.64\./), expect.stringMatching(/^fd7a:/)]
  expect(toBob()).toMatchObject([
    { PeersChanged: [{ ID: 1 }], PacketFilters: { base: [{ SrcIPs: sources }] } },
  ])
  ann!.tell({ Hostinfo: { Hostname: 'a', OS: 'macOS', IPNVersion: '1.88.0' } })
  expect(toBob()).toMatchObject([{ PeersRemoved: [1], PacketFilters: { base: [] } }])
  ann!.tell({ Hostinfo: { Hostname: 'a', OS: 'macOS', IPNVersion: '1.90.0' } })
  expect(toBob()).toMatchObject([{ PeersChanged: [{ ID: 1 }] }])
})

test('a policy that means the same for a node is not told to it again', () => {
  const world = new World()
  const [ann] = ['ann', 'bob'].map((user, index) => joined(world, index + 1, user))
  world.coordinator.policies.set(ANN_TO_BOB, world.now)
  const toAnn = listener(world, ann!.stream())
  world.coordinator.policies.set(`// the same, with a remark\n${ANN_TO_BOB}`, world.now)
  joined(world, 3, 'cat')
  expect(toAnn()).toEqual([])
})

test('control 40: SSH rules come and go with the policy, the last one as an empty list', () => {
  const world = new World()
  const ann = joined(world, 1)
  const toAnn = listener(world, ann.stream())
  const ssh =
    '"ssh":[{"action":"accept","src":["autogroup:member"],"dst":["autogroup:self"],"users":["root"]}]'
  world.coordinator.policies.set(`{${ssh}}`, world.now)
  expect(toAnn().at(-1)?.SSHPolicy?.rules).toMatchObject([{ sshUsers: { root: 'root' } }])
  world.coordinator.policies.set('{}', world.now)
  expect(toAnn().at(-1)?.SSHPolicy).toEqual({ rules: [] })
})

test('control 48: two machines of one user find each other’s file door, though nothing is let in at one of them', () => {
  const world = new World()
  const [one, two] = [joined(world, 1), joined(world, 2)]
  for (const [machine, port] of [
    [one, 40_001],
    [two, 40_002],
  ] as const) {
    const Services = [{ Proto: 'peerapi4', Port: port }]
    machine.tell({ Hostinfo: { Hostname: `box-${port}`, OS: 'linux', Services } })
  }
  world.coordinator.policies.set(
    '{"acls":[{"action":"accept","src":["100.64.0.1"],"dst":["100.64.0.2:22"]}]}',
    world.now,
  )
  const [atOne, atTwo] = [one, two].map((machine) => world.mapsOf(machine.stream())[0])
  expect(atOne?.PacketFilters).toEqual({ base: [] })
  for (const [map, peer, port] of [
    [atOne, 2, 40_002],
    [atTwo, 1, 40_001],
  ] as const) {
    expect(map?.Node?.CapMap).toHaveProperty(['https://tailscale.com/cap/file-sharing'])
    expect(map?.Peers).toMatchObject([
      { ID: peer, User: map?.Node?.User, Hostinfo: { Services: [{ Proto: 'peerapi4', Port: port }] } },
    ])
  }
})

test('attributes of the policy are capabilities of the node itself', () => {
  const world = new World()
  const toAnn = listener(world, joined(world, 1).stream())
  world.coordinator.policies.set(
    '{"nodeAttrs":[{"target":["ann@"],"attr":["disable-relay-server"]}]}',
    world.now,
  )
  expect(toAnn().at(-1)?.Node?.CapMap).toMatchObject({ 'disable-relay-server': null })
})

test('control 54: a policy that makes no sense, or fails a test of its own, leaves the old one in force', () => {
  const world = new World()
  const ann = joined(world, 1)
  world.user('bob')
  world.coordinator.policies.set(ANN_TO_BOB, world.now)
  const toAnn = listener(world, ann.stream())
  const failing = ANN_TO_BOB.replace('{', '{"tests":[{"src":"bob@","accept":["ann@:22"]}],')
  for (const text of ['{"acls":[', '{"acls":[{"action":"deny"}]}', failing]) {
    expect(() => world.coordinator.policies.set(text, world.now)).toThrow(
      expect.objectContaining({ code: 'ERR_CONTROL_POLICY' }) as Error,
    )
  }
  expect(() => world.coordinator.policies.check(failing)).toThrow(
    'test(s) failed\n"bob@" to "ann@:22": expected accept',
  )
  expect(toAnn()).toEqual([])
  expect(world.coordinator.policies.written()?.text).toBe(ANN_TO_BOB)
})

test('routes are approved as the policy says: when they are offered, and when it is written', () => {
  const world = new World()
  const approvers = '"autoApprovers":{"routes":{"10.0.0.0/8":["ann@"]},"exitNode":["ann@"]}'
  const early = joined(world, 1)
  early.tell({ Hostinfo: { Hostname: 'box-1', OS: 'linux', RoutableIPs: ['10.1.0.0/16', '192.168.0.0/16'] } })
  world.coordinator.policies.set(`{${approvers}}`, world.now)
  const late = joined(world, 2)
  late.tell({
    Hostinfo: { Hostname: 'box-2', OS: 'linux', RoutableIPs: ['0.0.0.0/0', '::/0', '100.64.0.0/10'] },
  })
  expect(world.coordinator.nodes.status(1).node.approvedRoutes).toEqual(['10.1.0.0/16'])
  expect(world.coordinator.nodes.status(2).node.approvedRoutes).toEqual(['0.0.0.0/0', '::/0'])
  world.coordinator.policies.set('{"acls":[]}', world.now)
  expect(world.coordinator.nodes.status(1).node.approvedRoutes).toEqual(['10.1.0.0/16'])
})

test('a policy is remembered, and in force at every server of the network', () => {
  const store = new MemoryStore()
  const [here, there] = [new World({ store }), new World({ store, server: 'there' })]
  joined(here, 1, 'ann')
  const cat = joined(here, 2, 'cat')
  here.collect()
  there.catchUp()
  here.coordinator.policies.set(ANN_TO_BOB, here.now)
  here.collect()
  there.catchUp()
  const stream = there.nextExchange()
  const request = {
    Version: 138,
    Stream: true,
    NodeKey: cat.nodeKey,
    DiscoKey: cat.discoKey,
    KeepAlive: true,
  }
  there.coordinator.handleMap(stream, cat.machineKey, request as never, there.now)
  expect(there.mapsOf(stream)[0]).toMatchObject({ Peers: [], PacketFilters: { base: [] } })
  expect(new World({ store }).coordinator.policies.written()?.text).toBe(ANN_TO_BOB)
})

test('a stored policy that cannot be read lets nobody reach anybody', () => {
  const store = new MemoryStore()
  const world = new World({ store })
  joined(world, 1)
  const second = joined(world, 2)
  world.collect()
  const { counters } = store.read(0)
  const record = { id: 1, text: '{"a later field":true}', createdAt: 1 }
  store.write({ changes: { policies: new Map([[1, record]]) }, counters: { ...counters, policies: 1 } })
  world.catchUp()
  expect(world.mapsOf(second.stream())[0]).toMatchObject({ Peers: [], PacketFilters: { base: [] } })
})

test('a restored policy is in force also when another had its number', () => {
  const other = new World()
  for (const [index, user] of ['ann', 'bob'].entries()) joined(other, index + 1, user)
  other.coordinator.policies.set(ALLOW_ALL, other.now)
  const world = new World()
  const [ann] = ['ann', 'bob'].map((user, index) => joined(world, index + 1, user))
  world.coordinator.policies.set('{"acls":[]}', world.now)
  const toAnn = listener(world, ann!.stream())
  world.coordinator.restore(other.coordinator.backup(), world.now)
  expect(toAnn().flatMap(({ PeersChanged = [] }) => PeersChanged)).toMatchObject([{ ID: 2 }])
})

test('a policy that could not be stored leaves nothing behind for the next of its number', () => {
  const world = new World()
  const [ann, bob] = ['ann', 'bob'].map((user, index) => joined(world, index + 1, user))
  bob!.tell({ Hostinfo: { Hostname: 'box-2', OS: 'linux', RoutableIPs: ['10.1.0.0/16'] } })
  const toAnn = listener(world, ann!.stream())
  world.coordinator.policies.set(ALLOW_ALL, world.now)
  world.coordinator.undo(world.now)
  world.coordinator.policies.set('{"acls":[]}', world.now)
  expect(toAnn()).toMatchObject([{ PeersRemoved: [2], PacketFilters: { base: [] } }])
})

test('the newest policy stays in force when a change that made an old one go is taken back', () => {
  const world = new World()
  for (let number = 1; number <= 100; number += 1)
    world.coordinator.policies.set(`// ${number}\n${ALLOW_ALL}`, world.now)
  world.collect()
  world.coordinator.policies.set(ANN_TO_BOB, world.now)
  world.coordinator.undo(world.now)
  expect(world.coordinator.policies.written()?.id).toBe(100)
})

test('a rule does not go on for a user who has another name', () => {
  const world = new World()
  const [ann] = ['ann', 'bob'].map((user, index) => joined(world, index + 1, user))
  world.coordinator.policies.set(ANN_TO_BOB, world.now)
  const toAnn = listener(world, ann!.stream())
  world.coordinator.accounts.renameUser('ann', { name: 'anna' }, world.now)
  expect(toAnn().flatMap(({ PeersRemoved = [] }) => PeersRemoved)).toEqual([2])
})
