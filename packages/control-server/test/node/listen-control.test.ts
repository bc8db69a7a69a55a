import { randomBytes } from 'node:crypto'
import { connect, createServer } from 'node:net'
import type { ClientHttp2Session } from 'node:http2'
import { generatePrivateKey, formatMachineKey, publicKeyOf } from '@mesh/keys'
import { controlInitiate } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { systemRandom } from '@mesh/sansio/node'
import type { MapResponse } from '@mesh/wire/control'
import { encodeInitiation } from '@mesh/wire/control'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MemoryStore, relayMap, type Writes } from '../../src/index.ts'
import { listenControl } from '../../src/node/index.ts'
import type { ControlListener, ControlOptions } from '../../src/node/index.ts'
import { type MapStream, post, RawMachine, serverKey, until, upgrade } from './raw-client.ts'

const privateKey = generatePrivateKey(systemRandom)
const derpMap = relayMap([{ host: '127.0.0.1', port: 3340, stunPort: 3478, insecure: true }])
const sessions: ClientHttp2Session[] = []
const warnings: string[] = []
const errors: string[] = []
let control: ControlListener

function start(change: Partial<ControlOptions> = {}): Promise<ControlListener> {
  const logger = {
    info: () => undefined,
    warn: (_: object, message: string) => void warnings.push(message),
    error: (fields: object, message: string) => void errors.push(message + JSON.stringify(fields)),
  }
  const store = new MemoryStore()
  return listenControl({
    host: '127.0.0.1',
    port: 0,
    store,
    privateKey,
    derpMap,
    baseDomain: 'mesh.internal',
    logger,
    ...change,
  })
}

/** A store on a disk that may be full. */
class FullStore extends MemoryStore {
  full = false

  override write(writes: Writes): number {
    if (this.full) throw new Error('disk full')
    return super.write(writes)
  }
}

async function open(machine: RawMachine): Promise<ClientHttp2Session> {
  const session = await machine.connect(control.url)
  session.on('error', () => undefined)
  sessions.push(session)
  return session
}

async function authKey(): Promise<string> {
  const users = await control.admin({ verb: 'users list' })
  if (users.length === 0)
    // Of several that ask at once one is first.
    await control.admin({ verb: 'users create', name: 'ann' }).catch(() => undefined)
  return (await control.admin({ verb: 'preauthkeys create', user: 'ann', reusable: true })).key
}

async function joined(): Promise<{ machine: RawMachine; session: ClientHttp2Session }> {
  const machine = new RawMachine()
  const session = await open(machine)
  const reply = await machine.register(session, { Auth: { AuthKey: await authKey() } })
  expect(JSON.parse(reply.body.toString())).toMatchObject({ Error: '', MachineAuthorized: true })
  return { machine, session }
}

beforeEach(async () => {
  control = await start()
})

afterEach(async () => {
  for (const session of sessions.splice(0)) session.destroy()
  await control.close()
  warnings.length = 0
  if (errors.length > 0) throw new Error(errors.splice(0).join('\n'))
})

test('control 1: /key gives the key of the file, in the form clients read', async () => {
  const response = await fetch(`${control.url}/key?v=138`)
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({
    legacyPublicKey: `mkey:${'0'.repeat(64)}`,
    publicKey: formatMachineKey(publicKeyOf(privateKey)),
  })
  for (const v of ['38', 'x']) expect((await fetch(`${control.url}/key?v=${v}`)).status).toBe(400)
})

test('other addresses outside Noise are answered, and none is left hanging', async () => {
  expect(await (await fetch(`${control.url}/health`)).json()).toEqual({ status: 'pass' })
  expect((await fetch(`${control.url}/nothing`)).status).toBe(404)
  expect((await fetch(`${control.url}/health`, { method: 'DELETE' })).status).toBe(405)
})

test.each(['//', '///', '//[', '/\\\\', '*', 'http://[', '%', '/%'])(
  'threat 26: a request for %s, which no URL parser takes, is answered and harms nobody',
  async (target) => {
    const socket = connect(Number(new URL(control.url).port), '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    await new Promise((resolve) => socket.on('close', resolve))
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /)
    expect((await fetch(`${control.url}/key?v=138`)).status).toBe(200)
  },
)

test('a request in the form for proxies is answered like any other', async () => {
  const socket = connect(Number(new URL(control.url).port), '127.0.0.1')
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
  socket.write('GET http://x/health?a#b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  await new Promise((resolve) => socket.on('close', resolve))
  expect(answer).toMatch(/^HTTP\/1\.1 200 /)
})

test('control 5: a broken upgrade is a 400 with the reason', async () => {
  const protocol = 'tailscale-control-protocol'
  const cases: [Record<string, string>, RegExp][] = [
    [{ Upgrade: 'websocket' }, /Upgrade/],
    [{ Upgrade: protocol }, /X-Tailscale-Handshake is missing/],
    [{ Upgrade: protocol, 'X-Tailscale-Handshake': 'AAAA' }, /no initiation/],
    [{ Upgrade: protocol, 'X-Tailscale-Handshake': '***' }, /no initiation/],
  ]
  for (const [headers, reason] of cases) {
    const { status, text } = await upgrade(control.url, headers)
    expect([status, text]).toEqual([400, expect.stringMatching(reason)])
  }
})

test('control 5, threat 30: a client that knows another key is told so, in the open', async () => {
  const other = publicKeyOf(generatePrivateKey(systemRandom))
  await expect(new RawMachine().handshake(control.url, other)).rejects.toThrow(/refused: .*another key/)
})

test.each([
  ['with no handshake', ''],
  ['with another key', 'X-Tailscale-Handshake: '],
])('threat 26: an upgrade %s is hung up on even when the client is not', async (_, header) => {
  const initiation = controlInitiate({
    crypto: nodeCrypto,
    random: systemRandom,
    version: 138,
    machinePrivate: privateKey,
    controlPublic: publicKeyOf(generatePrivateKey(systemRandom)),
  })
  const handshake = Buffer.from(encodeInitiation(138, initiation?.message ?? privateKey)).toString('base64')
  const socket = connect({ port: Number(new URL(control.url).port), host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => undefined)
  socket.resume()
  const closed = new Promise((resolve) => socket.on('close', () => resolve('closed')))
  socket.write('POST /ts2021 HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\n')
  socket.write('Upgrade: tailscale-control-protocol\r\n')
  socket.write(header === '' ? '\r\nmore' : `${header}${handshake}\r\n\r\nmore`)
  await new Promise((resolve) => socket.on('end', resolve))
  // Only a write shows whether the other side is still there.
  const poke = setInterval(() => socket.write('x'), 100)
  const late = new Promise((resolve) => setTimeout(resolve, 3000, 'still open'))
  expect(await Promise.race([closed, late])).toBe('closed')
  clearInterval(poke)
})

test('control 55: a POST whose Upgrade a proxy took away is answered with a hint', async () => {
  const response = await fetch(`${control.url}/ts2021`, { method: 'POST' })
  expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('reverse proxy')])
})

test('control 6: the early payload comes before HTTP/2 and carries a challenge', async () => {
  const machine = new RawMachine()
  await open(machine)
  expect(machine.earlyPayload).toEqual({
    nodeKeyChallenge: expect.stringMatching(/^chalpub:[0-9a-f]{64}$/) as unknown,
  })
})

test('control 4: bytes that are no record close the connection', async () => {
  const { socket } = await new RawMachine().handshake(control.url)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.on('error', () => undefined)
  socket.resume()
  socket.write(Uint8Array.of(4, 0x0f, 0xfe, 1, 2, 3))
  await closed
  expect(socket.destroyed).toBe(true)
})

test('control 13: two machines log in with a key and see each other', async () => {
  const first = await joined()
  const stream = first.machine.stream(first.session)
  await until(() => stream.messages.length === 1, 'the first snapshot')
  const second = await joined()
  await second.machine.map(second.session, {
    OmitPeers: true,
    Hostinfo: { Hostname: 'other', NetInfo: { PreferredDERP: 900 } },
    Endpoints: ['192.0.2.1:41641'],
  })
  await until(() => stream.messages.length > 1, 'the second node')
  expect(stream.messages.at(-1)?.PeersChanged).toMatchObject([
    {
      ID: 2,
      Name: 'other.mesh.internal.',
      HomeDERP: 900,
      Endpoints: ['192.0.2.1:41641'],
      DiscoKey: second.machine.discoKey,
    },
  ])
  const { machine, session } = second
  const other = machine.stream(session)
  await until(() => other.messages.length === 1, 'the other snapshot')
  expect(other.messages[0]).toMatchObject({
    Node: { ID: 2 },
    Peers: [{ ID: 1, Online: true }],
    Domain: 'mesh.internal',
  })
})

test('control 8: two connections of one machine live side by side, and one may end', async () => {
  const { machine, session } = await joined()
  const again = await open(machine)
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  expect((await machine.map(again, { OmitPeers: true })).status).toBe(200)
  again.destroy()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(stream.ended).toBe(false)
  expect((await machine.map(session, { OmitPeers: true })).status).toBe(200)
})

test('control 9: the path decides, whatever the authority says', async () => {
  const { machine, session } = await joined()
  for (const authority of ['unused', 'host', 'host:8080']) {
    const stream = session.request({ ':method': 'POST', ':path': '/machine/map', ':authority': authority })
    const status = new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])))
    stream.end(JSON.stringify({ Version: 138, NodeKey: machine.nodeKey, OmitPeers: true }))
    expect(await status).toBe(200)
  }
})

test('control 31: an update is answered by an empty 200 while the stream goes on', async () => {
  const { machine, session } = await joined()
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  const before = performance.now()
  const reply = await machine.map(session, { OmitPeers: true })
  expect([reply.status, reply.body.length]).toEqual([200, 0])
  expect(performance.now() - before).toBeLessThan(1000)
  expect(stream.ended).toBe(false)
})

test('a client that asks for no compression gets plain JSON', async () => {
  const { machine, session } = await joined()
  const { body } = await machine.map(session, { Compress: '' })
  expect(body.readUInt32LE(0)).toBe(body.length - 4)
  expect(JSON.parse(body.subarray(4).toString())).toMatchObject({ Node: { ID: 1 } })
})

test('threat 1: of 50 machines with one single-use key, over 50 connections at once, one gets in', async () => {
  await control.admin({ verb: 'users create', name: 'ann' })
  const { key } = await control.admin({ verb: 'preauthkeys create', user: 'ann' })
  const answers = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const machine = new RawMachine()
      const reply = await machine.register(await open(machine), { Auth: { AuthKey: key } })
      return JSON.parse(reply.body.toString()) as { MachineAuthorized: boolean; Error: string }
    }),
  )
  expect(answers.filter((answer) => answer.MachineAuthorized)).toHaveLength(1)
  expect(answers.filter((answer) => answer.Error === 'authkey already used')).toHaveLength(49)
  expect(await control.admin({ verb: 'nodes list' })).toHaveLength(1)
})

test('threat 4: on every route another machine with the same node key is refused', async () => {
  const { machine } = await joined()
  const thief = new RawMachine()
  thief.nodeKey = machine.nodeKey
  const session = await open(thief)
  expect((await thief.map(session, { Stream: true })).status).toBe(404)
  expect((await thief.map(session, { OmitPeers: true })).status).toBe(404)
  const register = await thief.register(session, { Auth: { AuthKey: await authKey() } })
  expect(JSON.parse(register.body.toString())).toMatchObject({
    Error: expect.stringContaining('machine key') as unknown,
  })
  for (const path of ['set-dns', 'id-token', 'audit-log', 'feature/query', 'tka/bootstrap', 'whoami']) {
    const { status, body } = await post(session, `/machine/${path}`, { NodeKey: machine.nodeKey })
    expect([path, status]).toEqual([path, /^tka|^who/.test(path) ? 501 : 404])
    expect(body.toString()).not.toContain('box')
  }
})

test('small calls are answered, or refused in a sentence that clients show', async () => {
  const { machine, session } = await joined()
  const NodeKey = machine.nodeKey
  const ask = async (path: string, body: object | string, method = 'POST'): Promise<[number, string]> => {
    const reply = await post(session, `/machine/${path}`, body, method)
    return [reply.status, reply.body.toString()]
  }
  expect(await ask('set-dns', { NodeKey, Type: 'TXT' })).toEqual([
    501,
    expect.stringContaining('no DNS records'),
  ])
  const [, feature] = await ask('feature/query', { NodeKey, Feature: 'serve' })
  expect(JSON.parse(feature)).toEqual({
    Complete: false,
    ShouldWait: false,
    Text: expect.stringContaining('--http=80') as unknown,
  })
  expect(await ask('feature/query', { NodeKey, Feature: 7 })).toEqual([200, expect.any(String)])
  const left = { NodeKey, Action: 'DISCONNECT_NODE', Details: 'lunch\u001b[2J' }
  expect(await ask('audit-log', left)).toEqual([200, '{}'])
  expect((await control.ask({ verb: 'audit list', limit: 1 }))[0]).toMatchObject({
    actor: { kind: 'node', name: 'box' },
    action: 'report',
    subject: 'node 1 (box)',
    after: { did: 'DISCONNECT_NODE', details: 'lunch [2J' },
  })
  expect(await ask('update-health', { NodeKey, Subsys: 'dns', Error: null })).toEqual([200, '{}'])
  expect((await ask('set-device-attr', { NodeKey, Update: { 'custom:rack': 7 } }, 'PATCH'))[0]).toBe(200)
  expect((await control.admin({ verb: 'nodes list' }))[0]?.attributes).toEqual({ 'custom:rack': 7 })
  expect((await ask('set-device-attr', { NodeKey, Update: { admin: true } }, 'PATCH'))[0]).toBe(400)
  expect(await ask('whoami', '', 'GET')).toEqual([200, `${machine.machineKey}: box.mesh.internal\n`])
  for (const bad of ['', '[]', 'null', '{"NodeKey":7}', '{"NodeKey":"nodekey:zz"}']) {
    expect((await ask('audit-log', bad))[0]).toBeGreaterThanOrEqual(400)
  }
})

test('a client whose notes are too many is told to come again, so that it keeps them', async () => {
  const { machine, session } = await joined()
  const note = async (): Promise<number> =>
    (await post(session, '/machine/audit-log', { NodeKey: machine.nodeKey, Action: 'x' })).status
  const statuses: number[] = []
  for (let i = 0; i < 12; i += 1) statuses.push(await note())
  expect(statuses).toEqual([...Array<number>(10).fill(200), 429, 429])
})

test('control 58: a node that is asked answers by a HEAD, or through Noise, and nobody answers for it', async () => {
  const { machine, session } = await joined()
  const thief = await joined()
  await expect(control.ping('1', 'head')).rejects.toMatchObject({ code: 'ERR_CONTROL_NODE_OFFLINE' })
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  const asked = async (kind: 'head' | 'c2n'): Promise<{ url: URL; pong: Promise<number | undefined> }> => {
    const before = stream.messages.length
    const pong = control.ping('1', kind)
    await until(() => stream.messages.length > before, 'the question')
    return { url: new URL(stream.messages.at(-1)?.PingRequest?.URL ?? ''), pong }
  }
  const head = await asked('head')
  expect((await fetch(head.url)).status).toBe(405)
  expect((await fetch(`${control.url}/machine/ping-response?id=x`, { method: 'HEAD' })).status).toBe(404)
  expect((await fetch(head.url, { method: 'HEAD' })).status).toBe(200)
  expect(await head.pong).toBeGreaterThanOrEqual(0)
  expect((await fetch(head.url, { method: 'HEAD' })).status).toBe(404)
  const inside = await asked('c2n')
  expect(inside.url.protocol).toBe('https:')
  expect(
    (await fetch(`${head.url.href.slice(0, -32)}${inside.url.href.slice(-32)}`, { method: 'HEAD' })).status,
  ).toBe(404)
  expect((await post(thief.session, inside.url.pathname, 'HTTP/1.1 200 OK')).status).toBe(404)
  expect((await post(session, inside.url.pathname, 'HTTP/1.1 200 OK')).status).toBe(200)
  expect(await inside.pong).toBeGreaterThanOrEqual(0)
  const lost = await asked('head')
  expect(await lost.pong).toBeUndefined()
})

test("a node's client does a request of its own handlers, only it can answer, and the log says who asked", async () => {
  const { machine, session } = await joined()
  const thief = await joined()
  const ask = { verb: 'nodes c2n', node: '1', path: '/debug/health?x=1' } as const
  await expect(control.ask({ ...ask, path: 'x' })).rejects.toMatchObject({ code: 'ERR_CONTROL_CALL' })
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  const answer = control.ask(ask)
  const question = (): MapResponse['PingRequest'] => stream.messages.at(-1)?.PingRequest
  await until(() => question() !== undefined, 'the question')
  const request = Buffer.from(question()?.Payload ?? '', 'base64').toString()
  expect(request).toMatch(/^GET \/debug\/health\?x=1 HTTP\/1\.1\r\n/)
  const { pathname } = new URL(question()?.URL ?? '')
  const forged = 'HTTP/1.1 200 OK\r\n\r\nall is well'
  expect((await post(thief.session, pathname, forged)).status).toBe(404)
  await post(session, pathname, 'HTTP/1.1 418 No\r\nX-Y: z\r\n\r\nill')
  expect(await answer).toEqual({ status: 418, headers: { 'x-y': 'z' }, body: 'ill' })
  expect((await control.ask({ verb: 'audit list', limit: 1 }))[0]).toMatchObject({
    actor: { kind: 'cli' },
    action: 'call',
    after: { method: 'GET', path: '/debug/health?x=1' },
  })
})

test('threat 26: an answer that is waited for may be long, one that is too long is said to be so at once', async () => {
  const { machine, session } = await joined()
  const thief = await joined()
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  const asked = async (): Promise<{ pathname: string; answer: Promise<unknown> }> => {
    const before = stream.messages.length
    const answer = control.ask({ verb: 'nodes c2n', node: '1', path: '/debug/netmap' })
    answer.catch(() => undefined)
    await until(() => stream.messages.length > before, 'the question')
    return { pathname: new URL(stream.messages.at(-1)?.PingRequest?.URL ?? '').pathname, answer }
  }
  const head = 'HTTP/1.1 200 OK\r\n\r\n'
  const send = (by: typeof session, pathname: string, length: number): Promise<number> =>
    post(by, pathname, head + 'x'.repeat(length)).then(
      ({ status }) => status,
      () => 413,
    )
  const long = await asked()
  expect(await send(thief.session, long.pathname, 2 << 20)).toBe(413)
  expect(await send(session, long.pathname, 3 << 20)).toBe(200)
  expect(await long.answer).toMatchObject({ status: 200, body: expect.stringMatching(/^x{1000}/) as string })
  const longer = await asked()
  expect(await send(session, longer.pathname, 5 << 20)).toBe(413)
  await expect(longer.answer).rejects.toThrow('The client answers /debug/netmap with more than 4 MiB.')
})

test('a relay that asks is told to serve the nodes of the network whose login holds, and nobody else', async () => {
  const { machine } = await joined()
  const ask = async (body: string): Promise<[number, string]> => {
    const response = await fetch(`${control.url}/verify`, { method: 'POST', body })
    return [response.status, (await response.text()).trim()]
  }
  const about = (NodePublic: unknown): string => JSON.stringify({ NodePublic, Source: '192.0.2.1' })
  expect(await ask(about(machine.nodeKey))).toEqual([200, '{"Allow":true}'])
  expect(await ask(about(new RawMachine().nodeKey))).toEqual([200, '{"Allow":false}'])
  await control.admin({ verb: 'nodes expire', node: '1' })
  expect(await ask(about(machine.nodeKey))).toEqual([200, '{"Allow":false}'])
  for (const bad of ['', '{', 'null', about(7), about('nodekey:0'), about('x'.repeat(5000))]) {
    expect((await ask(bad))[0]).toBe(400)
  }
  expect((await fetch(`${control.url}/verify`)).status).toBe(404)
})

test('control 16: an interactive login shows a page, waits, and ends within a second of the approval', async () => {
  await control.admin({ verb: 'users create', name: 'ann' })
  const machine = new RawMachine()
  const session = await open(machine)
  const Hostinfo = { Hostname: '<script>alert(1)</script>' }
  const { AuthURL } = JSON.parse((await machine.register(session, { Hostinfo })).body.toString()) as {
    AuthURL: string
  }
  const page = await (await fetch(AuthURL)).text()
  const id = AuthURL.split('/').at(-1) as string
  expect(page).toContain(`mesh-control nodes register --key ${id} --user USER`)
  expect(page).not.toContain('<script>')
  const held = machine.register(session, { Followup: AuthURL })
  const stillOpen = await Promise.race([
    held.then(() => 'answered'),
    new Promise((resolve) => setTimeout(resolve, 100, 'held')),
  ])
  expect(stillOpen).toBe('held')
  await control.admin({ verb: 'nodes register', key: id, user: 'ann' })
  expect(JSON.parse((await held).body.toString())).toMatchObject({ MachineAuthorized: true, AuthURL: '' })
  expect((await fetch(AuthURL)).status).toBe(404)
})

test('control 11: a hundred held logins on one connection do not hold up the map of a node on it', async () => {
  const { machine, session } = await joined()
  const held = [1, 2, 3, 4].map(async () => {
    const other = new RawMachine()
    const { AuthURL } = JSON.parse((await other.register(session)).body.toString()) as { AuthURL: string }
    const ask = (): Promise<unknown> => other.register(session, { Followup: AuthURL }).catch(() => 'hung up')
    return { answers: Array.from({ length: 25 }, ask) }
  })
  // Of those that ask for the same login the last is held; a machine has four logins.
  const last = (await Promise.all(held)).map(({ answers }) => answers.at(-1))
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  expect((await machine.map(session, { OmitPeers: true })).status).toBe(200)
  expect(await Promise.race([...last, Promise.resolve('held')])).toBe('held')
})

test('control 42, 57, threat 26: bad bodies get a 4xx, and one of more than a mebibyte is cut', async () => {
  const { session } = await joined()
  for (const path of ['/machine/register', '/machine/map']) {
    for (const body of ['', '{', '[]', '{"Version":"x"}', '{"Version":138,"NodeKey":"nodekey:zz"}']) {
      expect((await post(session, path, body)).status).toBe(400)
    }
    const long = post(session, path, 'x'.repeat((1 << 20) + 1))
    expect((await long.catch(() => ({ status: 413 }))).status).toBe(413)
  }
  expect((await post(session, '/elsewhere', {})).status).toBe(404)
})

test('control 57, threat 26: a client that never finishes its headers is hung up on', {
  timeout: 30_000,
}, async () => {
  const socket = connect(Number(new URL(control.url).port), '127.0.0.1')
  socket.write('POST /ts2021 HTTP/1.1\r\nHost: x\r\n')
  socket.resume()
  const before = performance.now()
  await new Promise((resolve) => socket.on('close', resolve))
  expect(performance.now() - before).toBeLessThan(15_000)
})

test('control 12: a client that stops reading is cut off, and the others hear as before', async () => {
  const slow = await joined()
  const stuck = slow.machine.stream(slow.session)
  await until(() => stuck.messages.length === 1, 'the snapshot')
  stuck.stream.pause()
  const quick = await joined()
  const stream = quick.machine.stream(quick.session)
  const talkers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => joined()))
  for (let round = 0; round < 60 && warnings.length === 0; round += 1) {
    const updates = talkers.map(({ machine, session }) => {
      const sshHostKeys = Array.from({ length: 16 }, () => randomBytes(2048).toString('hex'))
      return machine.map(session, { OmitPeers: true, Hostinfo: { Hostname: `round-${round}`, sshHostKeys } })
    })
    await Promise.all(updates)
    await until(
      () => lastNames(stream).filter((name) => name.startsWith(`round-${round}`)).length === 6,
      'all six',
    )
  }
  expect(warnings).toEqual(['a client stopped reading its map'])
  expect(stream.ended).toBe(false)
  expect((await slow.machine.map(slow.session, { OmitPeers: true })).status).toBe(200)
})

/** The newest name of each peer the stream told of. */
function lastNames(stream: MapStream): string[] {
  const names = new Map<number, string>()
  for (const map of stream.messages) {
    for (const node of [...(map.Peers ?? []), ...(map.PeersChanged ?? [])]) names.set(node.ID, node.Name)
  }
  return [...names.values()]
}

test('control 35: who hangs up without a word is still online within the grace', async () => {
  const { machine, session } = await joined()
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  session.destroy()
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await control.admin({ verb: 'nodes list' })).toMatchObject([{ online: true }])
})

test('control 36: a deleted node is told so and its stream ends', async () => {
  const { machine, session } = await joined()
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  await control.admin({ verb: 'nodes delete', node: 'box' })
  await until(() => stream.ended, 'the end')
  expect(stream.messages.at(-1)?.Node).toMatchObject({ Expired: true })
})

test('control 43: a store that fails is a 503, not an empty 200', async () => {
  await control.close()
  const store = new FullStore()
  control = await start({ store })
  const { machine, session } = await joined()
  store.full = true
  expect((await machine.map(session, { Stream: true, Version: 139 })).status).toBe(503)
  expect(errors.splice(0)).toHaveLength(1)
})

test('an address in use is the error of the system', async () => {
  const holder = createServer()
  await new Promise<void>((resolve) => {
    holder.listen(0, '127.0.0.1', resolve)
  })
  const { port } = holder.address() as { port: number }
  await expect(start({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  holder.close()
})

test('options that cannot work give the port back', async () => {
  await expect(start({ baseDomain: 'a..b' })).rejects.toMatchObject({ code: 'ERR_CONTROL_CONFIG' })
  expect(await serverKey(control.url)).toHaveLength(32)
})

test.each([
  ['a flood of pings', Uint8Array.of(0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)],
  ['a flood of settings', Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0)],
  ['a frame that breaks the rules', Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 0, 0, 7)],
])('threat 26: %s from a client that reads nothing ends its connection, not the server', async (_, frame) => {
  const { socket, transport } = await new RawMachine().handshake(control.url)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.on('error', () => undefined)
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0', 'latin1')
  socket.write(transport.seal(preface) ?? preface)
  const flood = Buffer.concat(Array.from({ length: 20_000 }, () => frame))
  socket.write(transport.seal(flood) ?? flood)
  await new Promise((resolve) => setTimeout(resolve, 300))
  socket.resume()
  await closed
  expect((await fetch(`${control.url}/health`)).status).toBe(200)
})

test('threat 26: a client that hangs up while it is being written to, or while the server ends, harms nobody', async () => {
  const quitters = await Promise.all([1, 2, 3, 4, 5].map(() => joined()))
  const streams = quitters.map(({ machine, session }) => machine.stream(session))
  await until(() => streams.every((stream) => stream.messages.length > 0), 'the snapshots')
  const talker = await joined()
  for (const { machine } of quitters) {
    const talking = talker.machine.map(talker.session, {
      OmitPeers: true,
      Hostinfo: { Hostname: machine.nodeKey },
    })
    machine.socket?.end()
    await talking
  }
  expect((await talker.machine.map(talker.session, { OmitPeers: true })).status).toBe(200)
  const last = await joined()
  const stream = last.machine.stream(last.session)
  await until(() => stream.messages.length > 0, 'the last snapshot')
  last.machine.socket?.end()
  await new Promise(setImmediate)
  await control.close()
  control = await start()
  expect((await fetch(`${control.url}/health`)).status).toBe(200)
})

test('threat 26: a connection cannot have more than a few mebibytes of bodies under way', async () => {
  const { machine, session } = await joined()
  const held = Array.from({ length: 8 }, () => {
    const stream = session.request({ ':method': 'POST', ':path': '/machine/map' })
    stream.on('error', () => undefined)
    const status = new Promise((resolve) => {
      stream.on('response', (headers) => resolve(headers[':status']))
      setTimeout(resolve, 1000, 'held')
    })
    stream.write('x'.repeat(900 << 10))
    return { stream, status }
  })
  const answers = await Promise.all(held.map(({ status }) => status))
  expect(new Set(answers)).toEqual(new Set(['held', 413]))
  for (const { stream } of held) stream.destroy()
  await until(() => held.every(({ stream }) => stream.closed), 'the ends')
  expect((await machine.map(session, { OmitPeers: true })).status).toBe(200)
})

test('a store that fails while nobody asks is said in the log and does not end the server', {
  timeout: 30_000,
}, async () => {
  await control.close()
  const store = new FullStore()
  control = await start({ store })
  const { machine, session } = await joined()
  const stream = machine.stream(session)
  await until(() => stream.messages.length > 0, 'the snapshot')
  store.full = true
  session.destroy()
  const said = (): boolean => errors.length > 0
  for (let i = 0; i < 15 && !said(); i += 1) await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(errors.splice(0)).toEqual([expect.stringContaining('disk full')])
  store.full = false
  expect((await fetch(`${control.url}/health`)).status).toBe(200)
  expect((await machine.map(await open(machine), { OmitPeers: true })).status).toBe(200)
})
