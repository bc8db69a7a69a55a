import { expect, test } from 'vitest'
import type { Actor, AuditEntry } from '../src/index.ts'
import { joined, World } from './support.ts'

const BOB: Actor = { kind: 'user', name: 'bob@example.org' }

/** What was noted, without when. */
async function entriesOf(world: World): Promise<Omit<AuditEntry, 'at'>[]> {
  const entries = await world.store.audit({ limit: 1000 })
  return entries.map(({ actor, action, subject, before, after }) => {
    return { actor, action, subject, ...(before && { before }), ...(after && { after }) }
  })
}

test('the log says who did what to whom, with what it was and what it became', async () => {
  const world = new World()
  joined(world, 1)
  const before = (await entriesOf(world)).length
  world.advance(5000)
  world.coordinator.actAs(BOB)
  world.coordinator.nodes.rename(1, 'laptop', world.now)
  world.coordinator.nodes.expire(1, world.now)
  const [entry, ...others] = (await world.store.audit({ limit: 1000 })).slice(before)
  expect(others).toEqual([])
  expect(entry).toEqual({
    at: world.wall,
    actor: BOB,
    action: 'change',
    subject: 'node 1 (box-1)',
    before: { name: 'box-1', expires: null },
    after: { name: 'laptop', expires: new Date(world.wall).toISOString() },
  })
})

test('a login names the machine, the key it used, and what it was given; none of it is a secret', async () => {
  const world = new World()
  world.user('ann')
  const text = world.key({ user: 'ann' })
  const machine = world.machine(1)
  machine.login(text)
  const entries = await entriesOf(world)
  expect(entries.map(({ actor, action, subject }) => [actor.kind, action, subject.split(' (')[0]])).toEqual([
    ['server', 'create', 'user 1'],
    ['server', 'create', 'pre-auth key 1'],
    ['node', 'create', 'node 1'],
    ['node', 'change', 'pre-auth key 1'],
  ])
  expect(entries[2]).toMatchObject({
    actor: { name: machine.machineKey },
    after: { name: 'box-1', user: 'ann', registered: 'auth-key', preAuthKey: 1, nodeKey: machine.nodeKey },
  })
  const secret = text.split('-').at(-1) as string
  expect(JSON.stringify(entries)).not.toContain(secret)
})

test('what machines report all the time is no change, and what fell due is the doing of the server', async () => {
  const world = new World()
  const machine = joined(world, 1)
  const before = (await entriesOf(world)).length
  machine.gone(machine.stream())
  machine.tell({ Hostinfo: { Hostname: 'box-1', OS: 'plan9' }, Endpoints: ['192.0.2.77:1'] })
  world.advance(60_000)
  expect(world.coordinator.nodes.status(1)).toMatchObject({ online: false })
  expect((await entriesOf(world)).length).toBe(before)
  world.user('eve')
  world.machine(2).login(world.key({ user: 'eve', ephemeral: true }))
  world.advance(40 * 60_000)
  expect((await entriesOf(world)).at(-1)).toMatchObject({
    actor: { kind: 'server' },
    action: 'remove',
    subject: 'node 2 (box-2)',
  })
})

test('what was taken back was not done', async () => {
  const world = new World()
  joined(world, 1)
  const before = (await entriesOf(world)).length
  const mark = world.coordinator.mark()
  world.coordinator.nodes.rename(1, 'laptop', world.now)
  world.coordinator.undo(world.now, mark)
  world.coordinator.nodes.tag(1, ['tag:a'], world.now)
  expect((await entriesOf(world)).slice(before)).toMatchObject([{ after: { tags: ['tag:a'], user: null } }])
})

test('a restored backup is one entry, and the log from before it stays', async () => {
  const world = new World()
  joined(world, 1)
  const backup = world.coordinator.backup()
  joined(world, 2)
  const before = await entriesOf(world)
  world.coordinator.actAs(BOB)
  world.coordinator.restore(backup, world.now)
  const after = await entriesOf(world)
  expect(after.slice(0, before.length)).toEqual(before)
  expect(after.slice(before.length)).toEqual([
    { actor: BOB, action: 'restore', subject: 'the network', after: { records: 3 } },
  ])
})

test('entries are kept as long as the setting says', async () => {
  const world = new World({ auditRetention: 60_000 })
  joined(world, 1)
  world.advance(12 * 60_000)
  world.coordinator.actAs(BOB)
  world.coordinator.nodes.rename(1, 'laptop', world.now)
  expect(await entriesOf(world)).toMatchObject([{ actor: BOB }])
})

test('a long value is cut, and one that is gone shows what it was', async () => {
  const world = new World()
  world.coordinator.policies.set(`{"acls":[]}${' '.repeat(1000)}`, world.now)
  const [entry] = await entriesOf(world)
  expect(JSON.stringify(entry).length).toBeLessThan(500)
  world.user('ann')
  world.coordinator.actAs(BOB)
  world.coordinator.accounts.deleteUser('ann')
  const removed = (await entriesOf(world)).at(-1)
  expect(removed).toMatchObject({ action: 'remove', before: { name: 'ann' } })
  expect(removed).not.toHaveProperty('after')
})
