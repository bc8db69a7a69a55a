import { expect, test } from 'vitest'
import type { MapResponse } from '@mesh/wire/control'
import { BATCH_INTERVAL, OFFLINE_GRACE } from '../src/index.ts'
import { normalRoute } from '../src/routes.ts'
import { joined, type MachineFake, World } from './support.ts'

const settle = (world: World): void => world.advance(BATCH_INTERVAL)

function router(world: World, number: number, routes: readonly string[]): MachineFake {
  const machine = joined(world, number)
  machine.tell({ Hostinfo: { Hostname: `box-${number}`, OS: 'linux', RoutableIPs: routes } })
  return machine
}

/** What a watcher's maps say of each node's routes, in the end. */
function routesSeen(maps: readonly MapResponse[], id: number): readonly string[] {
  const seen = maps.flatMap((map) => [...(map.Peers ?? []), ...(map.PeersChanged ?? [])])
  const node = seen.findLast((each) => each.ID === id)
  return (node?.AllowedIPs ?? []).slice(2)
}

test('control 46: an offered route is nobody’s until it is approved, then everybody’s', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const machine = router(world, 2, ['10.1.2.3/16', 'nonsense', '10.1.0.0/16', '2001:db8::/32'])
  const own = machine.stream()
  settle(world)
  expect(routesSeen(world.mapsOf(watcher), 2)).toEqual([])
  world.coordinator.nodes.approveRoutes(2, ['10.1.0.0/16', '192.168.0.0/24'], world.now)
  settle(world)
  expect(routesSeen(world.mapsOf(watcher), 2)).toEqual(['10.1.0.0/16'])
  expect(world.mapsOf(own).at(-1)?.Node).toMatchObject({
    PrimaryRoutes: ['10.1.0.0/16'],
    Hostinfo: { RoutableIPs: ['10.1.0.0/16', '2001:db8::/32'] },
  })
  expect(world.coordinator.nodes.status(2)).toMatchObject({ servedRoutes: ['10.1.0.0/16'] })
  machine.tell({ Hostinfo: { Hostname: 'box-2', OS: 'linux' } })
  settle(world)
  expect(routesSeen(world.mapsOf(watcher), 2)).toEqual([])
})

test('control 47: one exit route approves both, and every exit node serves both', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  for (const number of [2, 3]) router(world, number, ['0.0.0.0/0', '::/0']).stream()
  world.coordinator.nodes.approveRoutes(2, ['::/0'], world.now)
  world.coordinator.nodes.approveRoutes(3, ['0.0.0.0/0'], world.now)
  settle(world)
  for (const id of [2, 3]) expect(routesSeen(world.mapsOf(watcher), id)).toEqual(['0.0.0.0/0', '::/0'])
  const maps = world.mapsOf(watcher).flatMap((map) => map.PeersChanged ?? [])
  expect(maps.some((node) => node.PrimaryRoutes)).toBe(false)
})

test('control 47: a client learns of an exit node what it needs to ask names there: its version and its door', () => {
  const world = new World()
  const exit = joined(world, 1)
  const Services = [
    { Proto: 'peerapi4', Port: 40_001 },
    { Proto: 'peerapi-dns-proxy', Port: 1 },
  ]
  const RoutableIPs = ['0.0.0.0/0', '::/0']
  exit.tell({ Version: 130, Hostinfo: { Hostname: 'exit', OS: 'linux', RoutableIPs, Services } })
  world.coordinator.nodes.approveRoutes(1, RoutableIPs, world.now)
  const [first] = world.mapsOf(joined(world, 2).stream())
  expect(first?.Peers).toMatchObject([{ ID: 1, Cap: 130, Hostinfo: { Services } }])
  expect(first?.Peers?.[0]?.AllowedIPs?.slice(2)).toEqual(RoutableIPs)
})

test('control 46: of two routers one is the primary; the other takes over when it stays away, and keeps it', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const [first, second] = [2, 3].map((number) => router(world, number, ['10.0.0.0/8'])) as [
    MachineFake,
    MachineFake,
  ]
  const stream = first.stream()
  second.stream()
  for (const id of [3, 2]) world.coordinator.nodes.approveRoutes(id, ['10.0.0.0/8'], world.now)
  settle(world)
  const serving = (): number[] => [2, 3].filter((id) => routesSeen(world.mapsOf(watcher), id).length > 0)
  expect(serving()).toEqual([3])
  world.coordinator.nodes.expire(3, world.now)
  settle(world)
  expect(serving()).toEqual([2])
  world.coordinator.nodes.expire(3, world.now, 'never')
  settle(world)
  expect(serving()).toEqual([2])
  first.gone(stream)
  settle(world)
  expect(serving()).toEqual([2])
  world.advance(OFFLINE_GRACE)
  settle(world)
  expect(serving()).toEqual([3])
})

test('a router that is alone keeps its routes while it is away, so that traffic does not leak elsewhere', () => {
  const world = new World()
  const first = router(world, 1, ['10.0.0.0/8'])
  world.coordinator.nodes.approveRoutes(1, ['10.0.0.0/8'], world.now)
  const served = (): (readonly string[])[] =>
    world.coordinator.nodes.all().map(({ servedRoutes }) => servedRoutes)
  first.gone(first.stream())
  world.advance(OFFLINE_GRACE)
  expect(served()).toEqual([['10.0.0.0/8']])
  const second = router(world, 2, ['10.0.0.0/8'])
  world.coordinator.nodes.approveRoutes(2, ['10.0.0.0/8'], world.now)
  expect(served()).toEqual([['10.0.0.0/8'], []])
  second.stream()
  expect(served()).toEqual([[], ['10.0.0.0/8']])
  second.tell({ Hostinfo: { Hostname: 'box-2', OS: 'linux' } })
  expect(served()).toEqual([['10.0.0.0/8'], []])
  first.tell({ Hostinfo: { Hostname: 'box-1', OS: 'linux' } })
  expect(served()).toEqual([[], []])
})

test('routes among the nodes own addresses, and what is no route, are not approved', () => {
  const world = new World()
  joined(world, 1)
  const approve = (route: string): void => world.coordinator.nodes.approveRoutes(1, [route], world.now)
  for (const bad of ['10.0.0.0', '10.0.0.0/33', '', 'x/8'])
    expect(() => approve(bad)).toThrow(`${JSON.stringify(bad)} is no route`)
  for (const own of ['100.64.0.7/32', '100.100.0.0/16', 'fd7a:115c:a1e0::1/128'])
    expect(() => approve(own)).toThrow('nodes’ own addresses'.replace('’', "'"))
  for (const fine of ['10.1.2.3/8', '100.0.0.0/8', 'fd7a:115c:a1e0:b1a:0:7:a01:0/112']) {
    approve(fine)
    expect(world.coordinator.nodes.status(1).node.approvedRoutes).toEqual([normalRoute(fine)])
  }
})

test('control 41: approvals outlive a restart, and whoever is back first serves', () => {
  const world = new World()
  for (const number of [1, 2]) router(world, number, ['10.0.0.0/8'])
  for (const id of [1, 2]) world.coordinator.nodes.approveRoutes(id, ['10.0.0.0/8'], world.now)
  const again = new World({ store: world.store })
  expect(again.coordinator.nodes.status(1).servedRoutes).toEqual(['10.0.0.0/8'])
  again.machine(2).stream()
  expect(again.coordinator.nodes.status(2).servedRoutes).toEqual(['10.0.0.0/8'])
  again.machine(1).stream()
  expect(again.coordinator.nodes.status(1).servedRoutes).toEqual([])
})
