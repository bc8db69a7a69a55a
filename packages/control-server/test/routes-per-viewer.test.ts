// Which of a router's routes which viewer is told of (control §7.6).
import type { Node } from '@mesh/wire/control'
import { expect, test } from 'vitest'
import { BATCH_INTERVAL } from '../src/index.ts'
import { joined, type MachineFake, World } from './support.ts'

const SUBNET = '10.1.0.0/16'
const OTHER = '10.2.0.0/16'
const EXITS = ['0.0.0.0/0', '::/0']

interface Site {
  readonly world: World
  /** The router as ann and as bob know it now. */
  readonly seenBy: (viewer: 'ann' | 'bob') => Node | undefined
  /** What ann and bob heard since they were asked last. */
  readonly news: (viewer: 'ann' | 'bob') => object[]
}

/** Ann, bob, and a router of cat's with two subnets that is an exit node, too. */
function site(policy: object): Site {
  const world = new World()
  const people = { ann: joined(world, 1, 'ann'), bob: joined(world, 2, 'bob') }
  const router = joined(world, 3, 'cat')
  router.tell({ Hostinfo: { Hostname: 'box-3', RoutableIPs: [SUBNET, OTHER, ...EXITS] } })
  world.coordinator.nodes.approveRoutes(3, [SUBNET, OTHER, ...EXITS], world.now)
  world.coordinator.policies.set(JSON.stringify(policy), world.now)
  router.stream()
  const streams = { ann: people.ann.stream(), bob: people.bob.stream() }
  const heard = { ann: 0, bob: 0 }
  world.advance(BATCH_INTERVAL)
  const news = (viewer: 'ann' | 'bob'): object[] => {
    world.advance(BATCH_INTERVAL)
    const maps = world.mapsOf(streams[viewer])
    const fresh = maps.slice(heard[viewer])
    heard[viewer] = maps.length
    return fresh
  }
  const seenBy = (viewer: 'ann' | 'bob'): Node | undefined => snapshotOf(world, people[viewer])
  news('ann')
  news('bob')
  return { world, seenBy, news }
}

function snapshotOf(world: World, machine: MachineFake): Node | undefined {
  const [snapshot] = world.mapsOf(machine.map({}))
  return snapshot?.Peers?.find(({ ID }) => ID === 3)
}

const allow = (src: string, ...dst: string[]): object => ({ action: 'accept', src: [src], dst })
const routesOf = (node: Node | undefined): readonly string[] => node?.AllowedIPs?.slice(2) ?? []

test('control 46: a viewer is told of the routes alone that the policy lets it use, an exit where it may go to the internet', () => {
  const { seenBy } = site({
    acls: [allow('ann@', '10.1.5.0/24:443'), allow('bob@', 'autogroup:internet:*'), allow('bob@', 'cat@:22')],
  })
  expect(routesOf(seenBy('ann'))).toEqual([SUBNET])
  expect(seenBy('ann')?.PrimaryRoutes).toEqual([SUBNET])
  expect(routesOf(seenBy('bob'))).toEqual(EXITS)
  expect(seenBy('bob')).not.toHaveProperty('PrimaryRoutes')
})

test('everything is for everybody without a policy, and under a rule that says so', () => {
  for (const policy of [{}, { acls: [allow('*', '*:*')] }]) {
    const { seenBy } = site(policy)
    for (const viewer of ['ann', 'bob'] as const)
      expect(routesOf(seenBy(viewer))).toEqual([SUBNET, OTHER, ...EXITS])
  }
})

test('what comes out of a subnet reaches whoever it may reach: they know the way back', () => {
  const { seenBy } = site({ acls: [allow(OTHER, 'ann@:80'), allow('bob@', 'cat@:22')] })
  expect(routesOf(seenBy('ann'))).toEqual([OTHER])
  expect(routesOf(seenBy('bob'))).toEqual([])
})

test('a rule by way of a tag leads over the routers that have it', () => {
  const policy = {
    tagOwners: { 'tag:gate': ['cat@'] },
    grants: [{ src: ['ann@'], dst: [SUBNET], ip: ['*'], via: ['tag:gate'] }],
  }
  const { world, seenBy } = site(policy)
  expect(routesOf(seenBy('ann'))).toEqual([])
  world.coordinator.nodes.tag(3, ['tag:gate'], world.now)
  world.advance(BATCH_INTERVAL)
  expect(routesOf(seenBy('ann'))).toEqual([SUBNET])
})

test('a policy that gives or takes routes is heard by those it concerns, as a whole peer, and by nobody else', () => {
  const base = [allow('ann@', 'cat@:22'), allow('bob@', 'cat@:22')]
  const { world, seenBy, news } = site({ acls: base })
  expect(routesOf(seenBy('ann'))).toEqual([])
  world.coordinator.policies.set(JSON.stringify({ acls: [...base, allow('ann@', `${SUBNET}:*`)] }), world.now)
  expect(news('ann')).toMatchObject([{ PeersChanged: [{ ID: 3, PrimaryRoutes: [SUBNET] }] }])
  expect(news('bob')).toEqual([])
  world.coordinator.nodes.approveRoutes(3, [SUBNET], world.now)
  expect(news('bob')).toEqual([])
  world.coordinator.nodes.approveRoutes(3, [], world.now)
  expect(news('ann')).toMatchObject([{ PeersChanged: [{ ID: 3 }] }])
  expect(routesOf(seenBy('ann'))).toEqual([])
})
