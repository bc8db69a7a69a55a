import { drain } from '@mesh/sansio'
import { expect, test } from 'vitest'
import { BATCH_INTERVAL, type PreAuthKeyRecord } from '../src/index.ts'
import { encodeRecord } from '../src/record-json.ts'
import { hexOf, joined, World } from './support.ts'

const WEEK = 7 * 24 * 3600_000

test('lets a machine in with a pre-auth key and tells it who it is', () => {
  const world = new World()
  world.user('ann')
  const answer = world.machine(1).login(world.key({ user: 'ann' }))
  expect(answer).toMatchObject({ Error: '', AuthURL: '', MachineAuthorized: true, NodeKeyExpired: false })
  expect(answer.Login).toMatchObject({ ID: 1, LoginName: 'ann' })
  expect(world.coordinator.nodes.all()[0]?.node).toMatchObject({ givenName: 'box-1', ipv4: '100.64.0.1' })
})

test('control 14: answers a bad auth key with an Error text, not a status', () => {
  const world = new World()
  world.user('ann')
  const key = world.key({ user: 'ann' })
  const forged = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`
  for (const bad of ['nonsense', forged, key.slice(0, -1), `${key}0`]) {
    expect(world.machine(1).login(bad).Error).toBe('invalid authkey')
  }
  expect(world.coordinator.nodes.all()).toEqual([])
})

test('control 15: refuses a client below the floor with a 400 text', () => {
  const world = new World()
  const machine = joined(world, 1)
  const text = expect.stringMatching(/client version 112.*113 or later/) as unknown
  for (const asked of [world.machine(2).register({ Version: 112 }), machine.map({ Version: 112 })])
    expect(world.said(asked)).toEqual([{ kind: 'refuse', exchange: asked, status: 400, text }])
  expect(machine.login(undefined, { Version: 113 }).MachineAuthorized).toBe(true)
  expect(world.mapsOf(machine.stream({ Version: 113 }))).toHaveLength(1)
})

test('threat 1: of 50 registrations with one single-use key exactly one succeeds', () => {
  const world = new World()
  world.user('ann')
  const key = world.key({ user: 'ann' })
  const answers = Array.from({ length: 50 }, (_, i) => world.machine(i + 1).login(key))
  expect(answers.filter((answer) => answer.MachineAuthorized)).toHaveLength(1)
  expect(answers.filter((answer) => answer.Error === 'authkey already used')).toHaveLength(49)
  expect(world.coordinator.nodes.all()).toHaveLength(1)
})

test('a reusable key lets many in, until it expires or is ended', () => {
  const world = new World()
  world.user('ann')
  const key = world.key({ user: 'ann', reusable: true, lifetime: 60_000 })
  expect(world.machine(1).login(key).MachineAuthorized).toBe(true)
  expect(world.machine(2).login(key).MachineAuthorized).toBe(true)
  world.advance(60_000)
  expect(world.machine(3).login(key).Error).toBe('authkey expired')
  const other = world.key({ user: 'ann', reusable: true })
  world.coordinator.accounts.expirePreAuthKey(other)
  expect(world.machine(3).login(other).Error).toBe('authkey expired')
})

test('control 16: a login without a key waits for a person, and hears of the approval at once', () => {
  const world = new World()
  world.user('ann')
  const machine = world.machine(1)
  const { AuthURL } = machine.login()
  const held = machine.register({ Followup: AuthURL })
  expect(world.said(held)).toEqual([])
  world.coordinator.logins.approve(AuthURL.slice(-32), 'ann', world.now)
  expect(world.said(held)).toMatchObject([
    { response: { AuthURL: '', Error: '', Login: { LoginName: 'ann' } } },
  ])
})

test('an approval that could not be stored leaves the login waiting, to be approved again', () => {
  const world = new World()
  world.user('ann')
  const machine = world.machine(1)
  const { AuthURL } = machine.login()
  const held = machine.register({ Followup: AuthURL })
  world.collect()
  world.coordinator.logins.approve(AuthURL.slice(-32), 'ann', world.now)
  drain(world.coordinator)
  world.coordinator.undo(world.now)
  expect(world.coordinator.nodes.all()).toEqual([])
  const again = machine.register({ Followup: AuthURL })
  world.coordinator.logins.approve(AuthURL.slice(-32), 'ann', world.now)
  expect(world.said(again)).toMatchObject([{ response: { MachineAuthorized: true } }])
  expect(world.said(held)).toEqual([])
})

test('control 28: a login that wants tags, which nobody may give it, is refused and not asked about', () => {
  const world = new World()
  const answer = world
    .machine(1)
    .login(undefined, { Hostinfo: { Hostname: 'x', RequestTags: ['tag:web', 'tag:\u001b'] } })
  expect(answer).toMatchObject({
    AuthURL: '',
    Error: 'requested tags [tag:web, tag:] are invalid or not permitted',
  })
})

const TAGS = '{"tagOwners": {"tag:web": ["ann@"], "tag:db": ["bob@"]}}'

test("control 28: tags that a login asks for are the approving user's to give, by the policy", () => {
  const world = new World()
  for (const name of ['ann', 'bob']) world.user(name)
  world.coordinator.policies.set(TAGS, world.now)
  const machine = world.machine(1)
  const { AuthURL } = machine.login(undefined, { Hostinfo: { Hostname: 'x', RequestTags: ['tag:web'] } })
  const held = machine.register({ Followup: AuthURL })
  expect(() => world.coordinator.logins.approve(AuthURL.slice(-32), 'bob', world.now)).toThrow(
    'The machine asks for tag:web, which the policy does not let bob give: see its tagOwners.',
  )
  expect(world.said(held)).toEqual([])
  world.coordinator.logins.approve(AuthURL.slice(-32), 'ann', world.now)
  expect(world.said(held)).toMatchObject([{ response: { MachineAuthorized: true, Error: '' } }])
  expect(world.coordinator.nodes.all()).toMatchObject([
    { userName: '', node: { tags: ['tag:web'], expiresAt: undefined } },
  ])
  expect(
    world.machine(2).login(undefined, { Hostinfo: { RequestTags: ['tag:web', 'tag:none'] } }).Error,
  ).toBe('requested tags [tag:none] are invalid or not permitted')
})

test('control 28: a machine that asks for tags later stays the node that it was', () => {
  const world = new World({ nodeKeyLifetime: 3_600_000 })
  world.user('ann')
  world.coordinator.policies.set(TAGS, world.now)
  const machine = joined(world, 1)
  const [before] = world.coordinator.nodes.all()
  machine.nodeKey = `nodekey:${hexOf(77)}`
  const { AuthURL } = machine.login(undefined, { Hostinfo: { RequestTags: ['tag:web'] } })
  world.coordinator.logins.approve(AuthURL.slice(-32), 'ann', world.now)
  const [after, ...others] = world.coordinator.nodes.all()
  expect(others).toEqual([])
  expect(after?.node).toMatchObject({
    ipv4: before?.node.ipv4,
    user: undefined,
    tags: ['tag:web'],
    expiresAt: undefined,
  })
})

test('control 17: a held login may break off and come back, before and after the approval', () => {
  const world = new World()
  world.user('ann')
  const machine = world.machine(1)
  const { AuthURL } = machine.login()
  const first = machine.register({ Followup: AuthURL })
  machine.gone(first)
  const second = machine.register({ Followup: AuthURL })
  world.coordinator.logins.approve(AuthURL.slice(-32), 'ann', world.now)
  expect(world.said(first)).toEqual([])
  expect(world.said(second)).toMatchObject([{ response: { MachineAuthorized: true } }])
  const late = machine.register({ Followup: AuthURL })
  expect(world.said(late)).toMatchObject([{ response: { MachineAuthorized: true } }])
})

test('control 18: an expired or unknown login gets a new page, not an error', () => {
  const world = new World()
  const machine = world.machine(1)
  const { AuthURL } = machine.login()
  const held = machine.register({ Followup: AuthURL })
  world.advance(15 * 60_000)
  const [answer] = world.said(held)
  expect(answer).toMatchObject({
    response: { Error: '', AuthURL: expect.not.stringContaining(AuthURL.slice(-32)) as unknown },
  })
  const unknown = `http://127.0.0.1:8080/register/${'0'.repeat(32)}`
  expect(machine.login(undefined, { Followup: unknown }).AuthURL).toMatch(/\/register\/[0-9a-f]{32}$/)
})

test('a login may be followed under another host than the server knows itself by', () => {
  const world = new World()
  const machine = world.machine(1)
  const { AuthURL } = machine.login()
  const elsewhere = AuthURL.replace('http://127.0.0.1:8080', 'https://mesh.example')
  expect(world.said(machine.register({ Followup: elsewhere }))).toEqual([])
})

test('invariant 2: nobody can wait for the login of another machine or of another key', () => {
  const world = new World()
  world.user('ann')
  const { AuthURL } = world.machine(1).login()
  const thief = world.machine(2)
  const [answer] = world.said(thief.register({ Followup: AuthURL }))
  expect(answer).toMatchObject({ response: { MachineAuthorized: false } })
  expect(answer).not.toMatchObject({ response: { AuthURL } })
  world.coordinator.logins.approve(AuthURL.slice(-32), 'ann', world.now)
  expect(world.coordinator.nodes.all().map(({ node }) => node.machineKey)).toEqual([
    world.machine(1).machineKey,
  ])
})

test('control 57: logins that wait are bounded, and the oldest hears that it lost its place', () => {
  const world = new World()
  const first = world.machine(1)
  const held = first.register({ Followup: first.login().AuthURL })
  for (let i = 2; i <= 1025; i += 1) world.machine(i).login()
  expect(world.said(held)).toMatchObject([{ response: { Error: 'too many logins are waiting' } }])
})

test('invariant 4, threat 26: who makes up ever new machines at one place loses its own oldest logins, and nobody elsewhere does', () => {
  const world = new World()
  const asker = (number: number, address: string): number => {
    const machine = world.machine(number)
    const [answer] = world.said(machine.register({}, address))
    const { AuthURL } = (answer as { response: { AuthURL: string } }).response
    return machine.register({ Followup: AuthURL }, address)
  }
  const [victim, neighbour] = [asker(1, '198.51.100.1'), asker(2, '2001:db8:0:1::1')]
  const first = [asker(3, '203.0.113.6'), asker(4, '2001:db8::1')]
  for (let i = 0; i < 600; i += 1) {
    world.machine(100 + i).register({}, '203.0.113.6')
    world.machine(10_000 + i).register({}, `2001:db8::${(i + 2).toString(16)}`)
  }
  for (const held of first)
    expect(world.said(held)).toMatchObject([{ response: { Error: 'too many logins are waiting' } }])
  expect([...world.said(victim), ...world.said(neighbour)]).toEqual([])
  expect(world.coordinator.logins.all().length).toBeLessThanOrEqual(2 + 2 * 128)
})

test('invariant 4, threat 26: of the logins that begin at one place only so many a minute are remembered, whoever asks', () => {
  const world = new World()
  const ask = (number: number, address: string): unknown =>
    world.said(world.machine(number).register({}, address))[0]
  for (let i = 1; i <= 256; i += 1) expect(ask(i, '203.0.113.6')).toMatchObject({ kind: 'register-response' })
  const before = world.store.version
  world.advance(20_500)
  for (const number of [1, 257, 258])
    expect(ask(number, '203.0.113.6')).toMatchObject({
      kind: 'refuse',
      status: 429,
      text: 'too many logins begin at your address: try again in a minute',
      retryAfter: 40,
    })
  expect(world.store.version).toBe(before)
  // Others are let in as before, and so is whoever has a key.
  expect(ask(259, '203.0.113.7')).toMatchObject({ kind: 'register-response' })
  world.user('ann')
  const AuthKey = world.key({ user: 'ann' })
  const keyed = world.machine(260).register({ Auth: { AuthKey } }, '203.0.113.6')
  expect(world.said(keyed)).toMatchObject([{ response: { MachineAuthorized: true } }])
  world.advance(60_000)
  expect(ask(257, '203.0.113.6')).toMatchObject({ kind: 'register-response' })
})

test('threat 26: a machine that asks under ever new node keys loses its own oldest logins, and nobody else does', () => {
  const world = new World()
  const other = world.machine(1)
  const held = other.register({ Followup: other.login().AuthURL })
  const eager = world.machine(2)
  const first = eager.register({ Followup: eager.login().AuthURL })
  for (let i = 0; i < 1100; i += 1) {
    eager.nodeKey = `nodekey:${hexOf(5000 + i)}`
    expect(eager.login().AuthURL).not.toBe('')
  }
  expect(world.said(held)).toEqual([])
  expect(world.said(first)).toMatchObject([{ response: { Error: 'too many logins are waiting' } }])
  const waiting = world.coordinator.logins
    .all()
    .map(({ machineKey, request }) => [machineKey, request.NodeKey])
  const newest = [5000 + 1096, 5000 + 1097, 5000 + 1098, 5000 + 1099].map((i) => `nodekey:${hexOf(i)}`)
  expect(waiting).toEqual([
    [other.machineKey, other.nodeKey],
    ...newest.map((key) => [eager.machineKey, key]),
  ])
})

test('threat 26: a login that waits holds next to nothing, however much its machine said', () => {
  const world = new World()
  const long = 'x'.repeat(1 << 20)
  const { AuthURL } = world.machine(1).login(undefined, {
    Hostinfo: { Hostname: long, sshHostKeys: [long], App: long, NetInfo: { LinkType: long } },
    Tailnet: long,
    NLKey: long,
    Expiry: long,
    NodeKeySignature: long,
  })
  const held = world.coordinator.logins.waiting(AuthURL.slice(-32))
  expect(JSON.stringify(held).length).toBeLessThan(4096)
  expect(held?.request.Hostinfo?.Hostname).toBe('x'.repeat(255))
})

test('control 19: a plain restart succeeds, whatever became of the auth key, and changes nothing', () => {
  const world = new World()
  world.user('ann')
  const key = world.key({ user: 'ann', lifetime: WEEK })
  const machine = world.machine(1)
  machine.login(key)
  const before = world.coordinator.nodes.all()
  world.advance(2 * WEEK)
  for (const auth of [undefined, key, 'revoked']) expect(machine.login(auth).MachineAuthorized).toBe(true)
  expect(world.coordinator.nodes.all()).toEqual(before)
})

test('control 20: a rotated key keeps the node, and the old key is nobody', () => {
  const world = new World()
  world.user('ann')
  const machine = world.machine(1)
  machine.login(world.key({ user: 'ann' }))
  const [before] = world.coordinator.nodes.all()
  const oldKey = machine.nodeKey
  machine.nodeKey = `nodekey:${hexOf(77)}`
  expect(machine.login(world.key({ user: 'ann' }), { OldNodeKey: oldKey }).MachineAuthorized).toBe(true)
  const [after, ...more] = world.coordinator.nodes.all()
  expect(more).toEqual([])
  const { id, stableId, givenName, ipv4, ipv6 } = before!.node
  expect(after?.node).toMatchObject({ id, stableId, givenName, ipv4, ipv6, nodeKey: machine.nodeKey })
  expect(world.said(machine.map({ NodeKey: oldKey }))).toMatchObject([{ kind: 'refuse', status: 404 }])
})

test('control 21: during an interactive rotation the old key still works', () => {
  const world = new World()
  world.user('ann')
  const machine = world.machine(1)
  machine.login(world.key({ user: 'ann' }))
  const oldKey = machine.nodeKey
  machine.nodeKey = `nodekey:${hexOf(77)}`
  const { AuthURL } = machine.login(undefined, { OldNodeKey: oldKey })
  expect(world.mapsOf(machine.stream({ NodeKey: oldKey }))).toHaveLength(1)
  world.coordinator.logins.approve(AuthURL.slice(-32), 'ann', world.now)
  expect(world.coordinator.nodes.all().map(({ node }) => node.nodeKey)).toEqual([machine.nodeKey])
  expect(world.said(machine.map({ NodeKey: oldKey }))).toMatchObject([{ kind: 'refuse', status: 404 }])
})

test('control 22, threat 4: another machine cannot use a node key, to register, to log out or for its map', () => {
  const world = new World()
  world.user('ann')
  const owner = world.machine(1)
  owner.login(world.key({ user: 'ann' }))
  const before = world.coordinator.nodes.all()
  const thief = world.machine(2)
  thief.nodeKey = owner.nodeKey
  expect(thief.login(world.key({ user: 'ann' })).Error).toMatch(/different machine key/)
  expect(thief.logout().Error).toMatch(/different machine key/)
  for (const request of [{ Stream: true }, { OmitPeers: true }, {}]) {
    expect(world.said(thief.map(request))).toMatchObject([{ kind: 'refuse', status: 404 }])
  }
  expect(world.coordinator.nodes.all()).toEqual(before)
})

test('control 23: a logout with an auth key is a logout, its peers hear of it, and no map ever shows 1970', () => {
  const world = new World()
  const watcher = joined(world, 2).stream()
  const machine = joined(world, 1)
  const stream = machine.stream()
  world.advance(BATCH_INTERVAL)
  expect(machine.login(world.key({ user: 'ann' }), { Expiry: '1970-01-01T00:02:03Z' })).toMatchObject({
    NodeKeyExpired: true,
    MachineAuthorized: false,
  })
  expect(world.said(stream).at(-1)).toMatchObject({ kind: 'end' })
  const { wall } = world
  expect(world.coordinator.nodes.status(2)).toMatchObject({
    expired: true,
    online: false,
    node: { expiresAt: wall },
  })
  world.advance(BATCH_INTERVAL)
  const KeyExpiry = new Date(wall).toISOString()
  expect(world.mapsOf(watcher).at(-1)?.PeersChanged).toMatchObject([
    { ID: 2, Online: false, Expired: true, KeyExpiry },
  ])
  const again = machine.stream()
  expect(world.mapsOf(again)[0]?.Node).toMatchObject({ Expired: true, KeyExpiry })
  expect(JSON.stringify([watcher, stream, again].map((each) => world.mapsOf(each)))).not.toContain('1970')
})

test('control 23: an ephemeral node is gone when it logs out', () => {
  const world = new World()
  world.user('ann')
  const machine = world.machine(1)
  machine.login(world.key({ user: 'ann', ephemeral: true }))
  const watcher = joined(world, 2).stream()
  expect(world.mapsOf(watcher)[0]?.Peers).toMatchObject([{ ID: 1 }])
  machine.logout()
  world.advance(BATCH_INTERVAL)
  expect(world.mapsOf(watcher).at(-1)?.PeersRemoved).toEqual([1])
  expect(world.coordinator.nodes.all().map(({ node }) => node.id)).toEqual([2])
})

test('threat 9: an ephemeral node is not removed before its first map, nor while it is connected', () => {
  const world = new World({ ephemeralTimeout: 60_000 })
  world.user('ann')
  const machine = world.machine(1)
  machine.login(world.key({ user: 'ann', ephemeral: true }))
  world.advance(59_000)
  const stream = machine.stream()
  world.advance(10 * 60_000)
  expect(world.coordinator.nodes.all()).toHaveLength(1)
  machine.gone(stream)
  world.advance(59_000)
  expect(world.coordinator.nodes.all()).toHaveLength(1)
  world.advance(12_000)
  expect(world.coordinator.nodes.all()).toEqual([])
})

test('threat 9: after a restart of the server an ephemeral node has its whole time to come back', () => {
  const first = new World({ ephemeralTimeout: 60_000 })
  first.user('ann')
  first.machine(1).login(first.key({ user: 'ann', ephemeral: true }))
  const second = new World({ store: first.store, ephemeralTimeout: 60_000 })
  second.advance(59_000)
  expect(second.coordinator.nodes.all()).toHaveLength(1)
  second.advance(2_000)
  expect(second.coordinator.nodes.all()).toEqual([])
})

test('control 24: the same machine under another user is another node, under the same user the same', () => {
  const world = new World()
  world.user('ann')
  world.user('bob')
  const machine = world.machine(1)
  machine.login(world.key({ user: 'ann' }))
  machine.nodeKey = `nodekey:${hexOf(77)}`
  machine.login(world.key({ user: 'bob' }))
  machine.nodeKey = `nodekey:${hexOf(78)}`
  machine.login(world.key({ user: 'ann' }))
  expect(
    world.coordinator.nodes.all().map(({ node, userName }) => [node.id, userName, node.nodeKey.at(-1)]),
  ).toEqual([
    [1, 'ann', 'e'],
    [2, 'bob', 'd'],
  ])
})

test('control 25: an expired key is told so once, and a fresh one leads on', () => {
  const world = new World({ nodeKeyLifetime: WEEK })
  world.user('ann')
  const machine = world.machine(1)
  machine.login(world.key({ user: 'ann' }))
  world.advance(WEEK)
  expect(machine.login()).toMatchObject({ NodeKeyExpired: true, AuthURL: '' })
  machine.nodeKey = `nodekey:${hexOf(77)}`
  const { AuthURL, NodeKeyExpired } = machine.login()
  expect(NodeKeyExpired).toBe(false)
  world.coordinator.logins.approve(AuthURL.slice(-32), 'ann', world.now)
  expect(world.coordinator.nodes.all()).toMatchObject([{ expired: false, node: { id: 1 } }])
})

test('an expired key may be renewed by an auth key, but never for another owner', () => {
  const world = new World({ nodeKeyLifetime: WEEK })
  world.user('ann')
  world.user('bob')
  const machine = world.machine(1)
  machine.login(world.key({ user: 'ann' }))
  world.advance(WEEK)
  const other = world.key({ user: 'bob' })
  expect(machine.login(other)).toMatchObject({ NodeKeyExpired: true, MachineAuthorized: false })
  expect(machine.login(world.key({ user: 'ann' })).MachineAuthorized).toBe(true)
  machine.nodeKey = `nodekey:${hexOf(77)}`
  expect(machine.login(other).MachineAuthorized).toBe(true)
})

test('a client may shorten the life of its key, not lengthen it', () => {
  const world = new World({ nodeKeyLifetime: WEEK })
  world.user('ann')
  const machine = world.machine(1)
  const expiry = (): number | undefined => world.coordinator.nodes.all()[0]?.node.expiresAt
  machine.login(world.key({ user: 'ann' }), { Expiry: new Date(world.wall + 2 * WEEK).toISOString() })
  expect(expiry()).toBe(world.wall + WEEK)
  machine.login(undefined, { Expiry: new Date(world.wall + 2 * WEEK).toISOString() })
  expect(expiry()).toBe(world.wall + WEEK)
  machine.login(undefined, { Expiry: new Date(world.wall + 1000).toISOString() })
  expect(expiry()).toBe(world.wall + 1000)
})

test('control 27: a tagged key makes a tagged node without expiry, owned by nobody', () => {
  const world = new World({ nodeKeyLifetime: WEEK })
  world.user('ann')
  const machine = world.machine(1)
  const answer = machine.login(world.key({ user: 'ann', tags: ['tag:web'] }))
  expect(world.coordinator.nodes.all()[0]?.node).toMatchObject({
    user: undefined,
    tags: ['tag:web'],
    expiresAt: undefined,
  })
  const [first] = world.mapsOf(machine.stream())
  expect(first?.Node?.User).toBe(answer.User.ID)
  expect(first?.UserProfiles).toEqual([
    { ID: answer.User.ID, LoginName: 'box-1.mesh.internal', DisplayName: 'box-1' },
  ])
  const stream = joined(world, 2).stream()
  world.advance(BATCH_INTERVAL)
  const [seen] = world.mapsOf(stream)
  const tagged = { ID: 2147455555, LoginName: 'tagged-devices', DisplayName: 'Tagged Devices' }
  expect(seen?.Peers).toMatchObject([{ ID: 1, User: tagged.ID, Tags: ['tag:web'] }])
  expect(seen?.Peers?.[0]).not.toHaveProperty('KeyExpiry')
  expect(seen?.UserProfiles).toContainEqual(tagged)
})

test('control 27: a tagged node has no expiry, whatever its client asks for when it starts again', () => {
  const world = new World({ nodeKeyLifetime: WEEK })
  world.user('ann')
  const machine = world.machine(1)
  machine.login(world.key({ user: 'ann', tags: ['tag:web'] }))
  const Expiry = new Date(world.wall + 1000).toISOString()
  expect(machine.login(undefined, { Expiry }).MachineAuthorized).toBe(true)
  expect(world.coordinator.nodes.all()[0]?.node.expiresAt).toBeUndefined()
})

test('control 28: tags that a client asks for beside an auth key are refused in words', () => {
  const world = new World()
  world.user('ann')
  const answer = world
    .machine(1)
    .login(world.key({ user: 'ann' }), { Hostinfo: { RequestTags: ['tag:web'] } })
  expect(answer.Error).toMatch(/tags/)
  expect(world.coordinator.nodes.all()).toEqual([])
})

test('threat 8: the store never holds a secret that would let somebody in', () => {
  const world = new World()
  world.user('ann')
  const key = world.key({ user: 'ann' })
  const secret = key.split('-').at(-1) as string
  const [stored] = world.store.read(0).changes.preAuthKeys?.values() ?? []
  expect(stored).toBeDefined()
  expect(encodeRecord(stored as PreAuthKeyRecord)).not.toContain(secret)
  expect(Buffer.from(stored?.secretHash ?? []).toString('hex')).not.toContain(secret)
})

test('control 41: addresses, names and keys survive a restart', () => {
  const first = new World()
  first.user('ann')
  for (const number of [1, 2, 3]) first.machine(number).login(first.key({ user: 'ann' }))
  const second = new World({ store: first.store })
  expect(second.coordinator.nodes.all()).toEqual(first.coordinator.nodes.all())
  expect(second.machine(2).login().MachineAuthorized).toBe(true)
})

test('a deleted node comes back as a new one, with another address', () => {
  const world = new World()
  world.user('ann')
  const machine = world.machine(1)
  machine.login(world.key({ user: 'ann' }))
  world.coordinator.nodes.delete(1, world.now)
  expect(machine.login().AuthURL).not.toBe('')
  machine.login(world.key({ user: 'ann' }))
  expect(world.coordinator.nodes.all()).toMatchObject([{ node: { id: 2, ipv4: '100.64.0.2' } }])
})

test('an administrator is refused with a code and a sentence', () => {
  const { coordinator } = new World()
  coordinator.accounts.createUser({ name: 'ann' })
  const refusals: [() => unknown, string][] = [
    [() => coordinator.accounts.createUser({ name: 'ann' }), 'ERR_CONTROL_USER_EXISTS'],
    [() => coordinator.accounts.createUser({ name: 'a b' }), 'ERR_CONTROL_USER_NAME'],
    [() => coordinator.accounts.createPreAuthKey({ user: 'bob' }), 'ERR_CONTROL_USER_UNKNOWN'],
    [() => coordinator.accounts.createPreAuthKey({}), 'ERR_CONTROL_KEY_OPTIONS'],
    [() => coordinator.accounts.createPreAuthKey({ tags: ['web'] }), 'ERR_CONTROL_KEY_OPTIONS'],
    [() => coordinator.accounts.expirePreAuthKey('9'), 'ERR_CONTROL_KEY_UNKNOWN'],
    [() => coordinator.nodes.expire(9, 0), 'ERR_CONTROL_NODE_UNKNOWN'],
    [() => coordinator.nodes.delete(9, 0), 'ERR_CONTROL_NODE_UNKNOWN'],
    [() => coordinator.logins.approve('x', 'ann', 0), 'ERR_CONTROL_REGISTRATION_UNKNOWN'],
  ]
  for (const [refused, code] of refusals) expect(refused).toThrow(expect.objectContaining({ code }))
})

test('control 56: a base domain that covers the server itself is refused', () => {
  const server = { serverUrl: 'https://control.mesh.example' }
  for (const baseDomain of ['control.mesh.example', 'mesh.example']) {
    expect(() => new World({ ...server, baseDomain })).toThrow(/covers the server's own name/)
  }
  expect(() => new World({ ...server, baseDomain: 'nodes.mesh.example' })).not.toThrow()
  expect(() => new World({ baseDomain: '.bad' })).toThrow(/base domain/)
})
