// What a machine with keys of its own may not do to others, over real sockets: the invariants of control §9.7. Those that a
// coordinator alone shows, by its clock, are shown beside what they are about.
import type { ClientHttp2Session } from 'node:http2'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startControl } from '../../src/contract/start-control.ts'
import { MemoryStore } from '../../src/index.ts'
import { ADMIN_PATH, type ControlListener } from '../../src/node/index.ts'
import { type MapStream, post, RawMachine, type Reply, until } from './raw-client.ts'

/** A machine with a connection, and the stream of its map once it has one. */
interface Peer {
  readonly machine: RawMachine
  readonly session: ClientHttp2Session
}

const EVERYBODY = '{"action":"accept","src":["*"],"dst":["*:*"]}'
const sessions: ClientHttp2Session[] = []
let control: ControlListener
let store: MemoryStore

async function stranger(): Promise<Peer> {
  const machine = new RawMachine()
  const session = await machine.connect(control.url)
  session.on('error', () => undefined)
  sessions.push(session)
  return { machine, session }
}

async function joined(user: string): Promise<Peer> {
  const peer = await stranger()
  const { key } = await control.admin({ verb: 'preauthkeys create', user })
  const reply = await peer.machine.register(peer.session, { Auth: { AuthKey: key } })
  expect(jsonOf(reply)).toMatchObject({ Error: '', MachineAuthorized: true })
  return peer
}

async function following({ machine, session }: Peer): Promise<MapStream> {
  const stream = machine.stream(session)
  await until(() => stream.messages.length > 0, 'the snapshot')
  return stream
}

function jsonOf({ body }: Reply): Readonly<Record<string, unknown>> {
  return JSON.parse(body.toString()) as Readonly<Record<string, unknown>>
}

/** Everything that is remembered of nodes, but when they were last seen. */
function nodesAsStored(): string {
  const nodes = [...(store.read(0).changes.nodes?.values() ?? [])]
  return JSON.stringify(nodes.map((node) => ({ ...node, lastSeen: 0, connectedTo: '' })))
}

beforeEach(async () => {
  store = new MemoryStore()
  control = await startControl({
    store,
  })
  for (const name of ['ann', 'eve']) await control.admin({ verb: 'users create', name })
})

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy()
  await control.close()
})

test('invariant 1, threat 4: with the node key of another machine nothing is answered, and nothing changes', async () => {
  const victim = await joined('ann')
  const stream = await following(victim)
  await new Promise((resolve) => setTimeout(resolve, 300))
  const [heard, before] = [stream.messages.length, nodesAsStored()]
  for (const eve of [await stranger(), await joined('eve')]) {
    const NodeKey = victim.machine.nodeKey
    const own = eve.machine.nodeKey
    eve.machine.nodeKey = NodeKey
    const changes = { Endpoints: ['203.0.113.66:6'], Hostinfo: { Hostname: 'evil', OS: 'evil' } }
    for (const change of [{ Stream: true }, { OmitPeers: true, ...changes }, changes])
      expect((await eve.machine.map(eve.session, change)).status).toBe(404)
    for (const change of [{}, { Expiry: '1970-01-01T00:02:03Z' }]) {
      const answer = jsonOf(await eve.machine.register(eve.session, { ...changes, ...change }))
      expect(answer['Error']).toMatch(/machine key/)
    }
    // Nor does it take the place of the other by claiming to be its next key.
    const wasIn = nodesAsStored().includes(own)
    const rotated = await eve.machine.register(eve.session, { OldNodeKey: NodeKey, NodeKey: own })
    expect(jsonOf(rotated)['MachineAuthorized']).toBe(wasIn)
    const paths = ['set-dns', 'id-token', 'audit-log', 'update-health', 'feature/query']
    for (const path of paths)
      expect([path, (await post(eve.session, `/machine/${path}`, { NodeKey })).status]).toEqual([path, 404])
    const attributes = { NodeKey, Update: { 'custom:x': 1 } }
    expect((await post(eve.session, '/machine/set-device-attr', attributes, 'PATCH')).status).toBe(404)
  }
  const ours = (text: string): string => text.slice(0, before.length - 1)
  expect(ours(nodesAsStored())).toBe(ours(before))
  expect(JSON.stringify(stream.messages.slice(heard))).not.toMatch(/evil|203\.0\.113\.66/)
  expect(stream.ended).toBe(false)
})

test('threat 26: a machine may ask as much at once as the protocol needs only when it has shown that it is in the network', async () => {
  const [eve, ann] = [await stranger(), await joined('ann')]
  await eve.machine.register(eve.session)
  expect(eve.session.remoteSettings.maxConcurrentStreams).toBe(16)
  await until(() => ann.session.remoteSettings.maxConcurrentStreams === 250, 'the settings')
})

test('invariant 2: who follows up the login of another machine gets a page of their own, and nothing of the other', async () => {
  const [victim, eve] = [await stranger(), await stranger()]
  const { AuthURL } = jsonOf(await victim.machine.register(victim.session))
  for (const NodeKey of [eve.machine.nodeKey, victim.machine.nodeKey]) {
    const other = jsonOf(await eve.machine.register(eve.session, { NodeKey, Followup: AuthURL }))
    expect([other['AuthURL'] !== AuthURL, other['MachineAuthorized']]).toEqual([true, false])
  }
  const held = victim.machine.register(victim.session, { Followup: AuthURL })
  const key = String(AuthURL).split('/').at(-1) ?? ''
  await control.admin({ verb: 'nodes register', key, user: 'ann' })
  expect(jsonOf(await held)).toMatchObject({ MachineAuthorized: true })
  expect(await control.admin({ verb: 'nodes list' })).toMatchObject([
    { machineKey: victim.machine.machineKey, user: { name: 'ann' } },
  ])
})

test('invariant 3, control 49: over Noise only a node itself asks about SSH logins there, and hears what a person decided', async () => {
  const [ann, eve] = [await joined('ann'), await joined('eve')]
  const check = '{"action":"check","src":["eve@"],"dst":["ann@"],"users":["root"]}'
  await control.admin({ verb: 'policy set', policy: `{"acls":[${EVERYBODY}],"ssh":[${check}]}` })
  const ask = (at: Peer, query = 'local_user=root'): Promise<Reply> =>
    post(at.session, `/machine/ssh/action/2/to/1?${query}`, '', 'GET')
  expect((await ask(eve)).status).toBe(404)
  const { holdAndDelegate, message } = jsonOf(await ask(ann))
  const query = String(holdAndDelegate).split('?')[1]?.replace('$LOCAL_USER', 'root') ?? ''
  const key = query.slice(-32)
  expect((await ask(eve, query)).status).toBe(404)
  const page = await (await fetch(/http\S+/.exec(String(message))?.[0] ?? '')).text()
  expect(page).toContain(`mesh-control ssh approve ${key}`)
  const held = ask(ann, query)
  const early = await Promise.race([held, new Promise((resolve) => setTimeout(resolve, 100, 'held'))])
  expect(early).toBe('held')
  expect(await control.admin({ verb: 'ssh approve', key })).toMatchObject({ localUser: 'root' })
  expect(jsonOf(await held)).toMatchObject({ accept: true })
  expect(jsonOf(await ask(ann))).toMatchObject({ accept: true })
  await expect(control.admin({ verb: 'ssh approve', key })).rejects.toThrow(/No SSH login waits/)
})

test('invariant 5: the page of a login decides nothing, whoever is brought to open it or to send to it', async () => {
  const { machine, session } = await stranger()
  const url = String(jsonOf(await machine.register(session))['AuthURL'])
  const page = await fetch(url)
  expect(await page.text()).not.toMatch(/<(form|script|button|a) /)
  expect(page.headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
  for (const method of ['POST', 'PUT', 'DELETE'])
    await expect(fetch(url, { method }).then(({ status }) => status)).resolves.toBe(405)
  // What was asked under the same address by then is what is approved: here nothing, as the key was replaced.
  machine.nodeKey = new RawMachine().nodeKey
  await machine.register(session)
  await control.admin({ verb: 'nodes register', key: url.split('/').at(-1) ?? '', user: 'ann' })
  const [node] = await control.admin({ verb: 'nodes list' })
  expect(node?.nodeKey).not.toBe(machine.nodeKey)
  expect((await machine.map(session, { OmitPeers: true })).status).toBe(404)
})

test('invariant 6: what a machine claims of itself gives it no tag, no route, no owner and no name of another', async () => {
  const [ann, eve] = [await joined('ann'), await joined('eve')]
  const stream = await following(ann)
  const Endpoints = Array.from({ length: 500 }, (_, i) => `203.0.113.${i % 250}:${1000 + i}`)
  const Hostinfo = {
    Hostname: 'box',
    RequestTags: ['tag:server'],
    RoutableIPs: ['0.0.0.0/0', '::/0', '10.0.0.0/8', '100.64.0.1/32'],
    Services: [{ Proto: 'tcp', Port: 22, Description: 'x'.repeat(100_000) }],
    __proto__: { admin: true },
  }
  expect((await eve.machine.map(eve.session, { OmitPeers: true, Hostinfo, Endpoints })).status).toBe(200)
  await until(() => JSON.stringify(stream.messages).includes('203.0.113.'), 'the endpoints')
  const [, node] = await control.admin({ verb: 'nodes list' })
  expect(node).toMatchObject({
    user: { name: 'eve' },
    tags: [],
    approvedRoutes: [],
    subnetRoutes: [],
    givenName: 'box-1',
  })
  expect(node?.endpoints.length).toBeLessThanOrEqual(32)
  const told = JSON.stringify(stream.messages)
  expect(told).not.toMatch(/tag:server|10\.0\.0\.0\/8|0\.0\.0\.0\/0|x{1000}/)
  expect(told.length).toBeLessThan(20_000)
})

test('invariant 7: a machine that may not see another hears not a word of it, whatever happens to it, though whoever may does', async () => {
  const [ann, eve, ally] = [await joined('ann'), await joined('eve'), await joined('ann')]
  await control.admin({
    verb: 'policy set',
    policy: '{"acls":[{"action":"accept","src":["ann@"],"dst":["ann@:*"]}]}',
  })
  const [toEve, toAlly] = [await following(eve), await following(ally)]
  const heard = (pattern: RegExp): Promise<void> =>
    until(() => pattern.test(JSON.stringify(toAlly.messages)), String(pattern))
  await following(ann)
  await ann.machine.map(ann.session, {
    OmitPeers: true,
    Endpoints: ['203.0.113.7:7777'],
    Hostinfo: { Hostname: 'secret', NetInfo: { PreferredDERP: 900 } },
  })
  await heard(/"(HomeDERP|DERPRegion)":900/)
  await control.admin({ verb: 'nodes rename', node: '1', name: 'hidden' })
  await heard(/hidden\.mesh/)
  // A logout is told at once; who only hangs up is online for a while yet.
  await ann.machine.register(ann.session, { Expiry: '1970-01-01T00:02:03Z' })
  await until(
    () => toAlly.messages.some(({ PeersChanged: [node] = [] }) => node?.Expired === true && !node.Online),
    'the logout',
  )
  await control.admin({ verb: 'nodes delete', node: '1' })
  await heard(/"PeersRemoved":\[1\]/)
  // What was to go to the one has gone to the other in the same turn.
  await eve.machine.map(eve.session, { OmitPeers: true })
  const told = (stream: MapStream): string => JSON.stringify(stream.messages)
  const { nodeKey, discoKey } = ann.machine
  for (const word of [nodeKey, discoKey, '100.64.0.1/32', '203.0.113.7', 'secret', 'hidden', '"ann"'])
    expect([word, told(toAlly).includes(word), told(toEve).includes(word)]).toEqual([word, true, false])
  const whole = JSON.stringify(jsonSnapshot(await eve.machine.map(eve.session, { Compress: '' })))
  for (const text of [told(toEve), whole]) {
    expect(text).not.toMatch(/"(NodeID|ID)":[13][,}]/)
    expect(text).not.toMatch(/PeersRemoved|PeersChanged|OnlineChange|PeerSeenChange|"ann"/)
  }
})

test('invariant 8: an answer to a ping counts from the machine that was asked, under a name that nobody guesses', async () => {
  const [ann, eve] = [await joined('ann'), await joined('eve')]
  const stream = await following(ann)
  const pong = control.ping('1', 'c2n')
  await until(() => stream.messages.some(({ PingRequest }) => PingRequest !== undefined), 'the question')
  const url = new URL(stream.messages.at(-1)?.PingRequest?.URL ?? '')
  expect(url.pathname).toMatch(/\/[0-9a-f]{32}$/)
  const guess = url.pathname.replace(/.{32}$/, '0'.repeat(32))
  for (const path of [url.pathname, guess])
    expect((await post(eve.session, path, 'HTTP/1.1 200 OK')).status).toBe(404)
  expect((await post(ann.session, guess, 'HTTP/1.1 200 OK')).status).toBe(404)
  expect((await post(ann.session, url.pathname, 'HTTP/1.1 200 OK')).status).toBe(200)
  expect(await pong).toBeGreaterThanOrEqual(0)
})

test('invariant 10: capabilities of the system are not granted by name, and those of a node give it no power here', async () => {
  const eve = await joined('eve')
  const grant = '{"src":["*"],"dst":["*"],"app":{"tailscale.com/cap/is-admin":[{}]}}'
  await expect(control.admin({ verb: 'policy set', policy: `{"grants":[${grant}]}` })).rejects.toThrow(/cap/)
  const attributes = '{"target":["eve@"],"attr":["is-admin","is-owner"]}'
  await control.admin({ verb: 'policy set', policy: `{"acls":[${EVERYBODY}],"nodeAttrs":[${attributes}]}` })
  const before = nodesAsStored()
  for (const path of ['/machine/admin', '/machine/nodes/delete', ADMIN_PATH, '/api/v1/node/1', '/admin'])
    for (const method of ['GET', 'POST', 'DELETE'])
      expect(
        (await post(eve.session, path, { verb: 'nodes delete', node: '1' }, method)).status,
      ).toBeGreaterThan(400)
  expect(nodesAsStored()).toBe(before)
})

/** Returns the one message of an answer that is not packed. */
function jsonSnapshot({ body }: Reply): unknown {
  return JSON.parse(body.subarray(4).toString())
}
