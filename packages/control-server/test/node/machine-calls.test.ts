// The small calls of machines, and what a server asks of them.
import type { MapResponse } from '@mesh/wire/control'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ControlLab } from './control-lab.ts'
import { post, RawMachine, until } from './raw-client.ts'

const lab = new ControlLab()
beforeEach(() => lab.begin())
afterEach(() => lab.end())

test('threat 4: on every route another machine with the same node key is refused', async () => {
  const { machine } = await lab.joined()
  const thief = new RawMachine()
  thief.nodeKey = machine.nodeKey
  const session = await lab.open(thief)
  expect((await thief.map(session, { Stream: true })).status).toBe(404)
  expect((await thief.map(session, { OmitPeers: true })).status).toBe(404)
  const register = await thief.register(session, { Auth: { AuthKey: await lab.authKey() } })
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
  const { machine, session } = await lab.joined()
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
  expect((await lab.control.ask({ verb: 'audit list', limit: 1 }))[0]).toMatchObject({
    actor: { kind: 'node', name: 'box' },
    action: 'report',
    subject: 'node 1 (box)',
    after: { did: 'DISCONNECT_NODE', details: 'lunch [2J' },
  })
  expect(await ask('update-health', { NodeKey, Subsys: 'dns', Error: null })).toEqual([200, '{}'])
  expect((await ask('set-device-attr', { NodeKey, Update: { 'custom:rack': 7 } }, 'PATCH'))[0]).toBe(200)
  expect((await lab.control.admin({ verb: 'nodes list' }))[0]?.attributes).toEqual({ 'custom:rack': 7 })
  expect((await ask('set-device-attr', { NodeKey, Update: { admin: true } }, 'PATCH'))[0]).toBe(400)
  expect(await ask('whoami', '', 'GET')).toEqual([200, `${machine.machineKey}: box.mesh.internal\n`])
  for (const bad of ['', '[]', 'null', '{"NodeKey":7}', '{"NodeKey":"nodekey:zz"}']) {
    expect((await ask('audit-log', bad))[0]).toBeGreaterThanOrEqual(400)
  }
})

test('a client whose notes are too many is told to come again, so that it keeps them', async () => {
  const { machine, session } = await lab.joined()
  const note = async (): Promise<number> =>
    (await post(session, '/machine/audit-log', { NodeKey: machine.nodeKey, Action: 'x' })).status
  const statuses: number[] = []
  for (let i = 0; i < 12; i += 1) statuses.push(await note())
  expect(statuses).toEqual([...Array<number>(10).fill(200), 429, 429])
})

test("a node's client does a request of its own handlers, only it can answer, and the log says who asked", async () => {
  const { machine, session } = await lab.joined()
  const thief = await lab.joined()
  const ask = { verb: 'nodes c2n', node: '1', path: '/debug/health?x=1' } as const
  await expect(lab.control.ask({ ...ask, path: 'x' })).rejects.toMatchObject({ code: 'ERR_CONTROL_CALL' })
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  const answer = lab.control.ask(ask)
  const question = (): MapResponse['PingRequest'] => stream.messages.at(-1)?.PingRequest
  await until(() => question() !== undefined, 'the question')
  const request = Buffer.from(question()?.Payload ?? '', 'base64').toString()
  expect(request).toMatch(/^GET \/debug\/health\?x=1 HTTP\/1\.1\r\n/)
  const { pathname } = new URL(question()?.URL ?? '')
  const forged = 'HTTP/1.1 200 OK\r\n\r\nall is well'
  expect((await post(thief.session, pathname, forged)).status).toBe(404)
  await post(session, pathname, 'HTTP/1.1 418 No\r\nX-Y: z\r\n\r\nill')
  expect(await answer).toEqual({ status: 418, headers: { 'x-y': 'z' }, body: 'ill' })
  expect((await lab.control.ask({ verb: 'audit list', limit: 1 }))[0]).toMatchObject({
    actor: { kind: 'cli' },
    action: 'call',
    after: { method: 'GET', path: '/debug/health?x=1' },
  })
})

test('threat 26: an answer that is waited for may be long, one that is too long is said to be so at once', async () => {
  const { machine, session } = await lab.joined()
  const thief = await lab.joined()
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  const asked = async (): Promise<{ pathname: string; answer: Promise<unknown> }> => {
    const before = stream.messages.length
    const answer = lab.control.ask({ verb: 'nodes c2n', node: '1', path: '/debug/netmap' })
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
