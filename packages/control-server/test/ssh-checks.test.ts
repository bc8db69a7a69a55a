// SSH at a node: who is let in at once, and whom a person has to confirm.
import { SSH_ACCEPT } from '@mesh/policy'
import type { SSHAction } from '@mesh/wire/control'
import { expect, test } from 'vitest'
import { MemoryStore, SSH_CHECK_LIFETIME, type SshQuestion } from '../src/index.ts'
import { joined, type MachineFake, World } from './support.ts'

const CHECK = policy('{"action":"check","checkPeriod":"1h","src":["ann@"],"dst":["bob@"],"users":["root"]}')
const ALWAYS = CHECK.replace('1h', 'always')
const HOUR = 3_600_000

function policy(...rules: string[]): string {
  return `{"acls":[{"action":"accept","src":["*"],"dst":["*:*"]}],"ssh":[${rules.join()}]}`
}

/** Node 1 of ann, node 2 of bob and node 3 of cat, in a network with a policy. */
function worldWith(
  text: string,
  store = new MemoryStore(),
): { world: World; bob: MachineFake; cat: MachineFake } {
  const world = new World({ store })
  const [, bob, cat] = ['ann', 'bob', 'cat'].map((user, index) => joined(world, index + 1, user))
  world.coordinator.policies.set(text, world.now)
  world.collect()
  return { world, bob: bob!, cat: cat! }
}

/** What the machine's SSH server asks, and what it is told; nothing while it is held. */
function ask(world: World, machine: MachineFake, question: Partial<SshQuestion> = {}): () => unknown {
  const exchange = world.nextExchange()
  const whole = { from: 1, to: 2, localUser: 'root', check: '', ...question }
  world.coordinator.handleSshQuestion(exchange, machine.machineKey, whole, world.now)
  return () => {
    const [said] = world.said(exchange)
    return said?.kind === 'ssh-action' ? said.action : said
  }
}

function checkIn(action: unknown): string {
  const { holdAndDelegate = '', message = '' } = action as SSHAction
  const key = /&auth_id=([0-9a-f]{32})$/.exec(holdAndDelegate)?.[1] ?? 'none'
  expect(holdAndDelegate).toMatch(
    /^https:\/\/unused\/machine\/ssh\/action\/\$SRC_NODE_ID\/to\/\$DST_NODE_ID\?/,
  )
  expect(message).toContain(`http://127.0.0.1:8080/ssh/${key}`)
  return key
}

test('control 49: a rule that accepts lets whom it names in as whom it names, and nobody as root by autogroup:nonroot', () => {
  const world = new World()
  const [ann, bob] = ['ann', 'bob'].map((user, index) => joined(world, index + 1, user))
  const rule = '{"action":"accept","src":["ann@"],"dst":["bob@"],"users":["autogroup:nonroot"]}'
  world.coordinator.policies.set(policy(rule), world.now)
  const [atAnn, atBob] = [ann, bob].map((machine) => world.mapsOf(machine!.stream())[0]?.SSHPolicy)
  expect(atAnn).toEqual({ rules: [] })
  expect(atBob?.rules).toMatchObject([{ sshUsers: { '*': '=', root: '' }, action: SSH_ACCEPT }])
  expect(atBob?.rules?.[0]?.principals?.map(({ nodeIP }) => nodeIP)).toContain('100.64.0.1')
})

test('control 49: a rule that checks shows an address, holds the login, and lets it go on when a person approves', () => {
  const { world, bob } = worldWith(CHECK)
  const rule = world.mapsOf(bob.stream())[0]?.SSHPolicy?.rules?.[0]
  expect(rule?.action?.holdAndDelegate).toBe(
    'https://unused/machine/ssh/action/$SRC_NODE_ID/to/$DST_NODE_ID?local_user=$LOCAL_USER',
  )
  const check = checkIn(ask(world, bob)())
  const held = ask(world, bob, { check })
  expect(held()).toBeUndefined()
  world.coordinator.decideSsh(check, true, world.now)
  expect(held()).toEqual(SSH_ACCEPT)
  // It counts for an hour.
  world.advance(HOUR - 1)
  expect(ask(world, bob)()).toEqual(SSH_ACCEPT)
  world.advance(1)
  expect(checkIn(ask(world, bob)())).not.toBe(check)
})

test('a login that a person refuses, or nobody decides in time, is rejected', () => {
  const { world, bob } = worldWith(CHECK)
  const refused = checkIn(ask(world, bob)())
  const held = ask(world, bob, { check: refused })
  world.coordinator.decideSsh(refused, false, world.now)
  expect(held()).toMatchObject({ reject: true })
  const late = checkIn(ask(world, bob)())
  const forgotten = ask(world, bob, { check: late })
  world.advance(SSH_CHECK_LIFETIME)
  expect(forgotten()).toMatchObject({ reject: true })
  expect(() => world.coordinator.decideSsh(late, true, world.now)).toThrow(/No SSH login waits/)
})

test('a check for each time counts for the login that it was made for, and for no other', () => {
  const { world, bob } = worldWith(ALWAYS)
  const check = checkIn(ask(world, bob)())
  world.coordinator.decideSsh(check, true, world.now)
  expect(ask(world, bob, { check })()).toEqual(SSH_ACCEPT)
  expect(checkIn(ask(world, bob)())).not.toBe(check)
})

test('invariant 3: only the machine of a node asks about logins there, and a check is good for that login alone', () => {
  const { world, bob, cat } = worldWith(
    CHECK.replace('"ann@"', '"ann@","cat@"').replace('"root"', '"root","bob"'),
  )
  expect(ask(world, cat)()).toMatchObject({ kind: 'refuse', status: 404 })
  const check = checkIn(ask(world, bob)())
  expect(ask(world, cat, { check })()).toMatchObject({ kind: 'refuse', status: 404 })
  world.coordinator.decideSsh(check, true, world.now)
  for (const other of [{ from: 3 }, { localUser: 'bob' }, { from: 3, localUser: 'bob' }]) {
    expect(checkIn(ask(world, bob, { ...other, check })())).not.toBe(check)
    expect(checkIn(ask(world, bob, other)())).not.toBe(check)
  }
  expect(ask(world, bob, { check })()).toEqual(SSH_ACCEPT)
})

test('invariant 3: whom no rule lets in nobody can confirm', () => {
  const { world, bob, cat } = worldWith(CHECK)
  for (const question of [{ from: 3 }, { localUser: 'bob' }, { localUser: '' }, { from: 9 }])
    expect(ask(world, bob, question)()).toMatchObject({ reject: true })
  expect(ask(world, cat, { from: 1, to: 3 })()).toMatchObject({ reject: true })
  const check = checkIn(ask(world, bob)())
  world.coordinator.decideSsh(check, true, world.now)
  world.coordinator.policies.set('{"acls":[]}', world.now)
  expect(ask(world, bob, { check })()).toMatchObject({ reject: true })
})

test('invariant 4: checks that wait at one node are few, and the oldest makes room', () => {
  const { world, bob } = worldWith(CHECK.replace('"root"', '"autogroup:nonroot"'))
  const first = checkIn(ask(world, bob, { localUser: 'user-0' })())
  const held = ask(world, bob, { localUser: 'user-0', check: first })
  for (let i = 1; i < 40; i += 1) checkIn(ask(world, bob, { localUser: `user-${i}` })())
  expect(held()).toMatchObject({ reject: true })
  const records = [...(world.store.read(0).changes.sshChecks?.values() ?? [])]
  expect(records.filter((record) => record !== undefined)).toHaveLength(16)
})

test('a check asked at one server is decided at another, and outlives both', () => {
  const store = new MemoryStore()
  const { world: here, bob } = worldWith(CHECK, store)
  const there = new World({ store, server: 'there' })
  const check = checkIn(ask(here, bob)())
  const held = ask(here, bob, { check })
  here.collect()
  there.catchUp()
  there.coordinator.decideSsh(check, true, there.now)
  there.collect()
  here.catchUp()
  expect(held()).toEqual(SSH_ACCEPT)
  const later = new World({ store, server: 'later' })
  expect(later.coordinator.sshChecks.waiting(check)).toBeUndefined()
  const exchange = later.nextExchange()
  const question = { from: 1, to: 2, localUser: 'root', check: '' }
  later.coordinator.handleSshQuestion(exchange, bob.machineKey, question, later.now)
  expect(later.said(exchange)).toMatchObject([{ kind: 'ssh-action', action: SSH_ACCEPT }])
})

test('a login confirmed by a clock of next year is asked about again once the clock is right', () => {
  const { world, bob } = worldWith(CHECK)
  const YEAR = 365 * 24 * HOUR
  world.wallSet = YEAR
  world.coordinator.decideSsh(checkIn(ask(world, bob)()), true, world.now)
  expect(ask(world, bob)()).toEqual(SSH_ACCEPT)
  world.wallSet = 0
  checkIn(ask(world, bob)())
})

test('a login that waits to be confirmed is given up in time though the clock was set back', () => {
  const { world, bob } = worldWith(CHECK)
  const held = ask(world, bob, { check: checkIn(ask(world, bob)()) })
  world.wallSet = -HOUR
  world.advance(SSH_CHECK_LIFETIME - 1000)
  expect(held()).toBeUndefined()
  world.advance(2000)
  expect(held()).toMatchObject({ reject: true })
})
