import { expect, test } from 'vitest'
import { BATCH_INTERVAL, ControlError } from '../src/index.ts'
import { joined, World } from './support.ts'

const settle = (world: World): void => world.advance(BATCH_INTERVAL)

function codeOf(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof ControlError) return error.code
  }
  return ''
}

test('a renamed node is so to all at once, and stays so whatever its machine calls itself', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const machine = joined(world, 2)
  const own = machine.stream()
  settle(world)
  world.coordinator.nodes.rename(2, 'printer', world.now)
  settle(world)
  expect(world.mapsOf(watcher).at(-1)?.PeersChanged).toMatchObject([
    { ID: 2, Name: 'printer.mesh.internal.' },
  ])
  expect(world.mapsOf(own).at(-1)?.Node).toMatchObject({ Name: 'printer.mesh.internal.' })
  machine.tell({ Hostinfo: { Hostname: 'other', OS: 'linux' } })
  machine.tell({ Hostinfo: { Hostname: 'again', OS: 'linux' } })
  expect(world.coordinator.nodes.status(2).dnsName).toBe('printer.mesh.internal')
  expect(new World({ store: world.store }).coordinator.nodes.status(2).dnsName).toBe('printer.mesh.internal')
})

test('a node is not given the name of another, nor one that is no DNS label', () => {
  const world = new World()
  for (const number of [1, 2]) joined(world, number)
  for (const bad of ['', 'Printer', 'a.b', '-a', 'x'.repeat(64), 'é', '__proto__', 'box-2'])
    expect(codeOf(() => world.coordinator.nodes.rename(1, bad, world.now))).toBe('ERR_CONTROL_NODE_NAME')
  world.coordinator.nodes.rename(1, 'box-1', world.now)
  expect(codeOf(() => world.coordinator.nodes.rename(7, 'a', world.now))).toBe('ERR_CONTROL_NODE_UNKNOWN')
})

test('a renamed user is so to all who see their nodes, and to themselves', () => {
  const world = new World()
  const own = joined(world, 1, 'ann').stream()
  const watcher = joined(world, 2, 'bob').stream()
  settle(world)
  world.coordinator.accounts.renameUser('ann', { name: 'anna', displayName: 'Anna' }, world.now)
  settle(world)
  for (const stream of [own, watcher]) {
    expect(world.mapsOf(stream).at(-1)).toMatchObject({
      UserProfiles: [{ ID: 1, LoginName: 'anna', DisplayName: 'Anna' }],
    })
  }
  expect(world.coordinator.accounts.users().map((user) => user.name)).toEqual(['anna', 'bob'])
  expect(codeOf(() => world.coordinator.accounts.renameUser('anna', { name: 'bob' }, world.now))).toBe(
    'ERR_CONTROL_USER_EXISTS',
  )
  expect(codeOf(() => world.coordinator.accounts.renameUser('anna', { name: '' }, world.now))).toBe(
    'ERR_CONTROL_USER_NAME',
  )
})

test('a user with nodes is not deleted; one without goes with their keys', () => {
  const world = new World()
  joined(world, 1, 'ann')
  const key = world.key({ user: 'ann', tags: ['tag:a'], reusable: true })
  world.machine(2).login(key)
  expect(codeOf(() => world.coordinator.accounts.deleteUser('ann'))).toBe('ERR_CONTROL_USER_HAS_NODES')
  world.coordinator.nodes.delete(1, world.now)
  expect(world.coordinator.accounts.deleteUser('ann').name).toBe('ann')
  expect([world.coordinator.accounts.users(), world.coordinator.accounts.preAuthKeys()]).toEqual([[], []])
  expect(world.machine(3).login(key).Error).toBe('invalid authkey')
  world.machine(2).tell({ Endpoints: ['192.0.2.1:1'] })
  expect(world.coordinator.nodes.status(2).node).toMatchObject({ preAuthKey: undefined, tags: ['tag:a'] })
  expect(new World({ store: world.store }).coordinator.accounts.users()).toEqual([])
})

test('control 26: an expired node whose expiry is lifted has its peers back without a new login', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  const own = joined(world, 2).stream()
  settle(world)
  world.coordinator.nodes.expire(2, world.now)
  settle(world)
  expect(world.mapsOf(own).at(-1)).toMatchObject({ Node: { Expired: true }, PeersRemoved: [1] })
  world.coordinator.nodes.expire(2, world.now, world.wall + 3600_000)
  settle(world)
  expect(world.mapsOf(own).at(-1)).toMatchObject({ Node: { ID: 2 }, PeersChanged: [{ ID: 1 }] })
  expect(world.mapsOf(own).at(-1)?.Node).not.toHaveProperty('Expired')
  expect(world.mapsOf(watcher).at(-1)?.PeersChanged?.[0]).not.toHaveProperty('Expired')
  world.advance(3600_000)
  expect(world.coordinator.nodes.status(2).expired).toBe(true)
})

test('a node given tags belongs to them and to nobody else, and does not expire', () => {
  const world = new World({ nodeKeyLifetime: 3600_000 })
  const watcher = joined(world, 1).stream()
  joined(world, 2)
  settle(world)
  world.coordinator.nodes.tag(2, ['tag:web', 'tag:web'], world.now)
  settle(world)
  expect(world.mapsOf(watcher).at(-1)?.PeersChanged).toMatchObject([
    { ID: 2, User: 2147455555, Tags: ['tag:web'] },
  ])
  expect(world.coordinator.nodes.status(2).node).toMatchObject({
    user: undefined,
    expiresAt: undefined,
    tags: ['tag:web'],
  })
  for (const bad of [[], ['web'], ['tag:']])
    expect(codeOf(() => world.coordinator.nodes.tag(2, bad, world.now))).toBe('ERR_CONTROL_NODE_TAGS')
})
