import { seededRandom } from '@mesh/sansio'
import { expect, test } from 'vitest'
import { BATCH_INTERVAL } from '../src/index.ts'
import { joined, World } from './support.ts'

test('a backup brings back users, keys, nodes and waiting logins as they were, and connected nodes hear of it', () => {
  const world = new World()
  const watcher = joined(world, 1).stream()
  joined(world, 2)
  world.machine(3).login()
  world.advance(BATCH_INTERVAL)
  const before = world.coordinator.backup()
  world.coordinator.nodes.delete(2, world.now)
  joined(world, 4)
  world.coordinator.accounts.renameUser('ann', { name: 'anna' }, world.now)
  world.advance(BATCH_INTERVAL)
  world.coordinator.restore(before, world.now)
  expect(recordsOf(world.coordinator.backup())).toEqual(recordsOf(before))
  world.advance(BATCH_INTERVAL)
  expect(world.mapsOf(watcher).at(-1)).toMatchObject({ PeersRemoved: [3], PeersChanged: [{ ID: 2 }] })
  const again = new World({ store: world.store, random: seededRandom(9) })
  expect(again.coordinator.nodes.all().map(({ node }) => node.id)).toEqual([1, 2])
  joined(again, 5)
  expect(again.coordinator.nodes.all().at(-1)?.node).toMatchObject({ id: 4, ipv4: '100.64.0.4' })
})

/** The records of a backup by kind and number, without what is counted up. */
function recordsOf(backup: string): ReadonlyMap<string, unknown> {
  const lines = backup.trimEnd().split('\n').slice(1)
  const records = lines.map((line) => {
    const [kind = ''] = line.split(' ', 1)
    const record = JSON.parse(line.slice(kind.length)) as { readonly id: number }
    return [`${kind} ${record.id}`, record] as const
  })
  return new Map(records.toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

test('a backup that was cut off changes nothing', () => {
  const world = new World()
  joined(world, 1)
  const whole = world.coordinator.backup()
  const cut = whole.split('\n').slice(0, 2).join('\n')
  expect(() => world.coordinator.restore(cut, world.now)).toThrow(/^This backup is cut off: /)
  expect(world.coordinator.backup()).toBe(whole)
})

test.each([
  '',
  'x',
  '{}',
  '{"meshControlBackup":2,"counters":{}}',
  '{"meshControlBackup":1,"counters":{}}\nnodes {}',
  '{"meshControlBackup":1,"counters":{}}\nnodes null',
  '{"meshControlBackup":1}',
  '{"meshControlBackup":1,"counters":{"nodes":9007199254740993}}',
  '{"meshControlBackup":1,"counters":{}}\nnodes {"id":9007199254740993}',
])('%j is no backup, and changes nothing', (text) => {
  const world = new World()
  joined(world, 1)
  const before = world.coordinator.backup()
  expect(() => world.coordinator.restore(text, world.now)).toThrow(
    /^This is no backup of mesh-control: line \d/,
  )
  expect(world.coordinator.backup()).toBe(before)
})
