// What keeps a coordinator going, under a clock one turns.

import { ManualClock } from '@mesh/sansio'
import { expect, test, vi } from 'vitest'
import { MemoryStore, type Store } from '../../src/index.ts'
import { silentLogger } from '../../src/node/logger.ts'
import { Steward } from '../../src/node/steward.ts'
import { World } from '../support.ts'

test('what a server wrote itself, or heard of while it wrote, is not read from the store once more', async () => {
  const store = new MemoryStore()
  const world = new World({ store })
  const { coordinator } = world
  const clock = new ManualClock(world.now)
  const perform = (): void => undefined
  const steward = new Steward({ coordinator, store, server: 'here', logger: silentLogger, clock, perform })
  const read = vi.spyOn(store, 'since')
  const users = (): string[] => coordinator.accounts.users().map(({ name }) => name)
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  for (const name of ['ann', 'bob']) await steward.queue.run(() => coordinator.accounts.createUser({ name }))
  await settled()
  expect([coordinator.version, read.mock.calls.length]).toEqual([2, 0])
  const other = new World({ store })
  other.user('eve')
  other.collect()
  // Its own transaction brings the news before its turn to fetch them comes.
  await steward.queue.run(() => coordinator.accounts.createUser({ name: 'zoe' }))
  await settled()
  expect([users(), read.mock.calls.length]).toEqual([['ann', 'bob', 'eve', 'zoe'], 0])
  other.catchUp()
  other.user('kim')
  other.collect()
  await settled()
  expect([users().at(-1), read.mock.calls.length]).toEqual(['kim', 1])
  await steward.close()
})

test('a database that was put back to an older state under a server is read anew', async () => {
  const old = new MemoryStore()
  const before = new World({ store: old })
  before.user('ann')
  before.collect()
  const world = new World()
  for (const name of ['zoe', 'ann', 'bob']) {
    world.user(name)
    world.collect()
  }
  const { coordinator } = world
  expect(coordinator.version).toBeGreaterThan(old.version)
  let database = world.store
  const store: Store = {
    since: (version) => database.since(version),
    transact: (known, decide) => database.transact(known, decide),
    attend: (server) => database.attend(server),
    leave: (server) => database.leave(server),
    claim: (key, takeOver) => database.claim(key, takeOver),
    audit: (query) => database.audit(query),
    watch: () => () => undefined,
    close: () => database.close(),
  }
  const clock = new ManualClock(world.now)
  const perform = (): void => undefined
  const steward = new Steward({ coordinator, store, server: 'here', logger: silentLogger, clock, perform })
  const users = (): string[] => coordinator.accounts.users().map(({ name }) => name)
  const attended = vi.spyOn(database, 'attend')
  clock.advanceBy(5000)
  await expect.poll(() => attended.mock.calls.length).toBe(1)
  await expect.poll(() => clock.nextTimer()).toBe(world.now + 10_000)
  expect(users()).toEqual(['zoe', 'ann', 'bob'])
  database = old
  clock.advanceBy(5000)
  await expect.poll(users).toEqual(['ann'])
  expect(coordinator.version).toBe(old.version)
  await steward.close()
})
