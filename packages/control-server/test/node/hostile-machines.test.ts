// Machines and networks that do not behave, disks that are full, and options that cannot work.
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { MemoryStore, type Writes } from '../../src/index.ts'
import { ControlLab } from './control-lab.ts'
import { type MapStream, post, RawMachine, serverKey, until } from './raw-client.ts'

const lab = new ControlLab()
beforeEach(() => lab.begin())
afterEach(() => lab.end())

/** A store on a disk that may be full. */
class FullStore extends MemoryStore {
  full = false

  override write(writes: Writes): number {
    if (this.full) throw new Error('disk full')
    return super.write(writes)
  }
}

test('control 42, 57, threat 26: bad bodies get a 4xx, and one of more than a mebibyte is cut', async () => {
  const { session } = await lab.joined()
  for (const path of ['/machine/register', '/machine/map']) {
    for (const body of ['', '{', '[]', '{"Version":"x"}', '{"Version":138,"NodeKey":"nodekey:zz"}']) {
      expect((await post(session, path, body)).status).toBe(400)
    }
    const long = post(session, path, 'x'.repeat((1 << 20) + 1))
    expect((await long.catch(() => ({ status: 413 }))).status).toBe(413)
  }
  expect((await post(session, '/elsewhere', {})).status).toBe(404)
})

test('control 12: a client that stops reading is cut off, and the others hear as before', async () => {
  const slow = await lab.joined()
  const stuck = slow.machine.stream(slow.session)
  await until(() => stuck.messages.length === 1, 'the snapshot')
  stuck.stream.pause()
  const quick = await lab.joined()
  const stream = quick.machine.stream(quick.session)
  const talkers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => lab.joined()))
  for (let round = 0; round < 60 && lab.warnings.length === 0; round += 1) {
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
  expect(lab.warnings).toEqual(['a client stopped reading its map'])
  expect(stream.ended).toBe(false)
  expect((await slow.machine.map(slow.session, { OmitPeers: true })).status).toBe(200)
})

/** The newest name of each peer the stream told of. */

test('control 43: a store that fails is a 503, not an empty 200', async () => {
  const store = new FullStore()
  await lab.restart({ store })
  const { machine, session } = await lab.joined()
  store.full = true
  expect((await machine.map(session, { Stream: true, Version: 139 })).status).toBe(503)
  const attributes = { Version: 139, NodeKey: machine.nodeKey, Update: { 'custom:tier': 'a' } }
  const others = [
    ...Array.from({ length: 20 }, () => machine.map(session, { OmitPeers: true, Version: 139 })),
    post(session, '/machine/set-device-attr', attributes, 'PATCH'),
  ]
  expect(new Set((await Promise.all(others)).map(({ status }) => status))).toEqual(new Set([503]))
  const failed = (times: number): string => `a request failed${JSON.stringify({ error: 'disk full', times })}`
  expect(lab.errors.splice(0)).toEqual([failed(1)])
  await lab.restart()
  expect(lab.errors.splice(0)).toContain(failed(21))
})

test('an address in use is the error of the system', async () => {
  const holder = createServer()
  await new Promise<void>((resolve) => {
    holder.listen(0, '127.0.0.1', resolve)
  })
  const { port } = holder.address() as { port: number }
  await expect(lab.start({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  holder.close()
})

test('options that cannot work give the port back', async () => {
  await expect(lab.start({ baseDomain: 'a..b' })).rejects.toMatchObject({ code: 'ERR_CONTROL_CONFIG' })
  expect(await serverKey(lab.control.url)).toHaveLength(32)
})

test.each([
  ['a flood of pings', Uint8Array.of(0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8)],
  ['a flood of settings', Uint8Array.of(0, 0, 0, 4, 0, 0, 0, 0, 0)],
  ['a frame that breaks the rules', Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 0, 0, 7)],
])('threat 26: %s from a client that reads nothing ends its connection, not the server', async (_, frame) => {
  const { socket, transport } = await new RawMachine().handshake(lab.control.url)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.on('error', () => undefined)
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\u0004\0\0\0\0\0', 'latin1')
  socket.write(transport.seal(preface) ?? preface)
  const flood = Buffer.concat(Array.from({ length: 20_000 }, () => frame))
  socket.write(transport.seal(flood) ?? flood)
  await new Promise((resolve) => setTimeout(resolve, 300))
  socket.resume()
  await closed
  expect((await fetch(`${lab.control.url}/health`)).status).toBe(200)
})

test('threat 26: a client that hangs up while it is being written to, or while the server ends, harms nobody', async () => {
  const quitters = await Promise.all([1, 2, 3, 4, 5].map(() => lab.joined()))
  const streams = quitters.map(({ machine, session }) => machine.stream(session))
  await until(() => streams.every((stream) => stream.messages.length > 0), 'the snapshots')
  const talker = await lab.joined()
  for (const { machine } of quitters) {
    const talking = talker.machine.map(talker.session, {
      OmitPeers: true,
      Hostinfo: { Hostname: machine.nodeKey },
    })
    machine.socket?.end()
    await talking
  }
  expect((await talker.machine.map(talker.session, { OmitPeers: true })).status).toBe(200)
  const last = await lab.joined()
  const stream = last.machine.stream(last.session)
  await until(() => stream.messages.length > 0, 'the last snapshot')
  last.machine.socket?.end()
  await new Promise(setImmediate)
  await lab.restart()
  expect((await fetch(`${lab.control.url}/health`)).status).toBe(200)
})

test('threat 26: a connection cannot have more than a few mebibytes of bodies under way', async () => {
  const { machine, session } = await lab.joined()
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
  const store = new FullStore()
  await lab.restart({ store })
  const { machine, session } = await lab.joined()
  const stream = machine.stream(session)
  await until(() => stream.messages.length > 0, 'the snapshot')
  store.full = true
  session.destroy()
  const said = (): boolean => lab.errors.length > 0
  for (let i = 0; i < 15 && !said(); i += 1) await new Promise((resolve) => setTimeout(resolve, 1000))
  expect(lab.errors.splice(0)).toEqual([expect.stringContaining('disk full')])
  store.full = false
  expect((await fetch(`${lab.control.url}/health`)).status).toBe(200)
  expect((await machine.map(await lab.open(machine), { OmitPeers: true })).status).toBe(200)
})

function lastNames(stream: MapStream): string[] {
  const names = new Map<number, string>()
  for (const map of stream.messages) {
    for (const node of [...(map.Peers ?? []), ...(map.PeersChanged ?? [])]) names.set(node.ID, node.Name)
  }
  return [...names.values()]
}
