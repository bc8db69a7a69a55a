// Machines at a control server: they log in, see each other, and go.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ControlLab } from './control-lab.ts'
import { RawMachine, until } from './raw-client.ts'

const lab = new ControlLab()
beforeEach(() => lab.begin())
afterEach(() => lab.end())

test('control 13: two machines log in with a key and see each other', async () => {
  const first = await lab.joined()
  const stream = first.machine.stream(first.session)
  await until(() => stream.messages.length === 1, 'the first snapshot')
  const second = await lab.joined()
  await second.machine.map(second.session, {
    OmitPeers: true,
    Hostinfo: { Hostname: 'other', NetInfo: { PreferredDERP: 900 } },
    Endpoints: ['192.0.2.1:41641'],
  })
  // The node may be told of before it has said what it is.
  const told = (): unknown => stream.messages.at(-1)?.PeersChanged?.[0]?.Name
  await until(() => told() === 'other.mesh.internal.', 'the second node')
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
  const { machine, session } = await lab.joined()
  const again = await lab.open(machine)
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  expect((await machine.map(again, { OmitPeers: true })).status).toBe(200)
  again.destroy()
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(stream.ended).toBe(false)
  expect((await machine.map(session, { OmitPeers: true })).status).toBe(200)
})

test('control 9: the path decides, whatever the authority says', async () => {
  const { machine, session } = await lab.joined()
  for (const authority of ['unused', 'host', 'host:8080']) {
    const stream = session.request({ ':method': 'POST', ':path': '/machine/map', ':authority': authority })
    const status = new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])))
    stream.end(JSON.stringify({ Version: 138, NodeKey: machine.nodeKey, OmitPeers: true }))
    expect(await status).toBe(200)
  }
})

test('control 31: an update is answered by an empty 200 while the stream goes on', async () => {
  const { machine, session } = await lab.joined()
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  const before = performance.now()
  const reply = await machine.map(session, { OmitPeers: true })
  expect([reply.status, reply.body.length]).toEqual([200, 0])
  expect(performance.now() - before).toBeLessThan(1000)
  expect(stream.ended).toBe(false)
})

test('a client that asks for no compression gets plain JSON', async () => {
  const { machine, session } = await lab.joined()
  const { body } = await machine.map(session, { Compress: '' })
  expect(body.readUInt32LE(0)).toBe(body.length - 4)
  expect(JSON.parse(body.subarray(4).toString())).toMatchObject({ Node: { ID: 1 } })
})

test('threat 1: of 50 machines with one single-use key, over 50 connections at once, one gets in', async () => {
  await lab.control.admin({ verb: 'users create', name: 'ann' })
  const { key } = await lab.control.admin({ verb: 'preauthkeys create', user: 'ann' })
  const answers = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const machine = new RawMachine()
      const reply = await machine.register(await lab.open(machine), { Auth: { AuthKey: key } })
      return JSON.parse(reply.body.toString()) as { MachineAuthorized: boolean; Error: string }
    }),
  )
  expect(answers.filter((answer) => answer.MachineAuthorized)).toHaveLength(1)
  expect(answers.filter((answer) => answer.Error === 'authkey already used')).toHaveLength(49)
  expect(await lab.control.admin({ verb: 'nodes list' })).toHaveLength(1)
})

test('control 16: an interactive login shows a page, waits, and ends within a second of the approval', async () => {
  await lab.control.admin({ verb: 'users create', name: 'ann' })
  const machine = new RawMachine()
  const session = await lab.open(machine)
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
  const before = performance.now()
  await lab.control.admin({ verb: 'nodes register', key: id, user: 'ann' })
  expect(JSON.parse((await held).body.toString())).toMatchObject({
    MachineAuthorized: true,
    AuthURL: '',
    User: { ID: 1 },
    Login: { ID: 1, LoginName: 'ann' },
  })
  expect(performance.now() - before).toBeLessThan(1000)
  expect((await fetch(AuthURL)).status).toBe(404)
})

test('control 17: a login goes on over other connections when its own breaks, before and after the approval', async () => {
  await lab.control.admin({ verb: 'users create', name: 'ann' })
  const machine = new RawMachine()
  const first = await lab.open(machine)
  const { AuthURL } = JSON.parse((await machine.register(first)).body.toString()) as { AuthURL: string }
  const broken = machine.register(first, { Followup: AuthURL }).catch(() => ({ status: 0 }))
  await new Promise((resolve) => setTimeout(resolve, 50))
  machine.socket?.destroy()
  expect(await broken).toMatchObject({ status: 0 })
  const held = machine.register(await lab.open(machine), { Followup: AuthURL })
  await new Promise((resolve) => setTimeout(resolve, 50))
  await lab.control.admin({ verb: 'nodes register', key: AuthURL.slice(-32), user: 'ann' })
  const late = machine.register(await lab.open(machine), { Followup: AuthURL })
  for (const answer of [held, late])
    expect(JSON.parse((await answer).body.toString())).toMatchObject({ MachineAuthorized: true })
  expect(await lab.control.admin({ verb: 'nodes list' })).toHaveLength(1)
})

test('control 11: a hundred held logins on one connection do not hold up the map of a node on it', async () => {
  const { machine, session } = await lab.joined()
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

test('control 35: who hangs up without a word is still online within the grace', async () => {
  const { machine, session } = await lab.joined()
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  session.destroy()
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(await lab.control.admin({ verb: 'nodes list' })).toMatchObject([{ online: true }])
})

test('control 42, 43: a map whose node goes, or has another key, before its first frame is refused, not empty', async () => {
  const { machine, session } = await lab.joined()
  const AuthKey = await lab.authKey()
  // What comes in one moment is decided in one transaction, before anybody has a frame.
  const [map, rotation] = [
    machine.map(session, { Stream: true }),
    machine.register(session, { NodeKey: new RawMachine().nodeKey, Auth: { AuthKey } }),
  ]
  expect((await rotation).body.toString()).toContain('"MachineAuthorized":true')
  expect((await map).status).toBe(503)
  const { key } = await lab.control.admin({ verb: 'preauthkeys create', user: 'ann', ephemeral: true })
  const brief = new RawMachine()
  const other = await lab.open(brief)
  expect((await brief.register(other, { Auth: { AuthKey: key } })).status).toBe(200)
  const whole = brief.map(other, {})
  await brief.register(other, { Expiry: '1970-01-01T00:02:03Z' })
  expect(await lab.control.admin({ verb: 'nodes list' })).toHaveLength(1)
  expect((await whole).status).toBe(404)
})

test('control 36: a deleted node is told so and its stream ends', async () => {
  const { machine, session } = await lab.joined()
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  await lab.control.admin({ verb: 'nodes delete', node: 'box' })
  await until(() => stream.ended, 'the end')
  expect(stream.messages.at(-1)?.Node).toMatchObject({ Expired: true })
})
