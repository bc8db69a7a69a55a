// What a control server answers outside Noise, and how Noise begins.
import { connect } from 'node:net'
import { generatePrivateKey, formatMachineKey, publicKeyOf } from '@mesh/keys'
import { controlInitiate } from '@mesh/noise'
import { nodeCrypto } from '@mesh/noise/node'
import { systemRandom } from '@mesh/sansio/node'
import { encodeInitiation } from '@mesh/wire/control'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ControlLab } from './control-lab.ts'
import { post, RawMachine, until, upgrade } from './raw-client.ts'

const lab = new ControlLab()
beforeEach(() => lab.begin())
afterEach(() => lab.end())

test('control 1: /key gives the key of the file, in the form clients read', async () => {
  const response = await fetch(`${lab.control.url}/key?v=138`)
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({
    legacyPublicKey: `mkey:${'0'.repeat(64)}`,
    publicKey: formatMachineKey(publicKeyOf(lab.privateKey)),
  })
  for (const v of ['38', 'x']) expect((await fetch(`${lab.control.url}/key?v=${v}`)).status).toBe(400)
})

test('other addresses outside Noise are answered, and none is left hanging', async () => {
  expect(await (await fetch(`${lab.control.url}/health`)).json()).toEqual({ status: 'pass' })
  expect((await fetch(`${lab.control.url}/nothing`)).status).toBe(404)
  expect((await fetch(`${lab.control.url}/health`, { method: 'DELETE' })).status).toBe(405)
})

test.each(['//', '///', '//[', '/\\\\', '*', 'http://[', '%', '/%'])(
  'threat 26: a request for %s, which no URL parser takes, is answered and harms nobody',
  async (target) => {
    const socket = connect(Number(new URL(lab.control.url).port), '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')))
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    await new Promise((resolve) => socket.on('close', resolve))
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /)
    expect((await fetch(`${lab.control.url}/key?v=138`)).status).toBe(200)
  },
)

test('a request in the form for proxies is answered like any other', async () => {
  const socket = connect(Number(new URL(lab.control.url).port), '127.0.0.1')
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
    const { status, text } = await upgrade(lab.control.url, headers)
    expect([status, text]).toEqual([400, expect.stringMatching(reason)])
  }
})

test('control 5, threat 30: a client that knows another key is told so, in the open', async () => {
  const other = publicKeyOf(generatePrivateKey(systemRandom))
  await expect(new RawMachine().handshake(lab.control.url, other)).rejects.toThrow(/refused: .*another key/)
})

test.each([
  ['with no handshake', ''],
  ['with another key', 'X-Tailscale-Handshake: '],
])('threat 26: an upgrade %s is hung up on even when the client is not', async (_, header) => {
  const initiation = controlInitiate({
    crypto: nodeCrypto,
    random: systemRandom,
    version: 138,
    machinePrivate: lab.privateKey,
    controlPublic: publicKeyOf(generatePrivateKey(systemRandom)),
  })
  const handshake = Buffer.from(encodeInitiation(138, initiation?.message ?? lab.privateKey)).toString(
    'base64',
  )
  const socket = connect({
    port: Number(new URL(lab.control.url).port),
    host: '127.0.0.1',
    allowHalfOpen: true,
  })
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
  const response = await fetch(`${lab.control.url}/ts2021`, { method: 'POST' })
  expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('reverse proxy')])
})

test('control 6: the early payload comes before HTTP/2 and carries a challenge', async () => {
  const machine = new RawMachine()
  await lab.open(machine)
  expect(machine.earlyPayload).toEqual({
    nodeKeyChallenge: expect.stringMatching(/^chalpub:[0-9a-f]{64}$/) as unknown,
  })
})

test('control 4: bytes that are no record close the connection', async () => {
  const { socket } = await new RawMachine().handshake(lab.control.url)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  socket.on('error', () => undefined)
  socket.resume()
  socket.write(Uint8Array.of(4, 0x0f, 0xfe, 1, 2, 3))
  await closed
  expect(socket.destroyed).toBe(true)
})

test('control 58: a node that is asked answers by a HEAD, or through Noise, and nobody answers for it', async () => {
  const { machine, session } = await lab.joined()
  const thief = await lab.joined()
  await expect(lab.control.ping('1', 'head')).rejects.toMatchObject({ code: 'ERR_CONTROL_NODE_OFFLINE' })
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  const asked = async (kind: 'head' | 'c2n'): Promise<{ url: URL; pong: Promise<number | undefined> }> => {
    const before = stream.messages.length
    const pong = lab.control.ping('1', kind)
    await until(() => stream.messages.length > before, 'the question')
    return { url: new URL(stream.messages.at(-1)?.PingRequest?.URL ?? ''), pong }
  }
  const head = await asked('head')
  expect((await fetch(head.url)).status).toBe(405)
  expect((await fetch(`${lab.control.url}/machine/ping-response?id=x`, { method: 'HEAD' })).status).toBe(404)
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

test('a relay that asks is told to serve the nodes of the network whose login holds, and nobody else', async () => {
  const { machine } = await lab.joined()
  const ask = async (body: string): Promise<[number, string]> => {
    const response = await fetch(`${lab.control.url}/verify`, { method: 'POST', body })
    return [response.status, (await response.text()).trim()]
  }
  const about = (NodePublic: unknown): string => JSON.stringify({ NodePublic, Source: '192.0.2.1' })
  expect(await ask(about(machine.nodeKey))).toEqual([200, '{"Allow":true}'])
  expect(await ask(about(new RawMachine().nodeKey))).toEqual([200, '{"Allow":false}'])
  await lab.control.admin({ verb: 'nodes expire', node: '1' })
  expect(await ask(about(machine.nodeKey))).toEqual([200, '{"Allow":false}'])
  for (const bad of ['', '{', 'null', about(7), about('nodekey:0'), about('x'.repeat(5000))]) {
    expect((await ask(bad))[0]).toBe(400)
  }
  expect((await fetch(`${lab.control.url}/verify`)).status).toBe(404)
})

test('control 57, threat 26: a client that never finishes its headers is hung up on', {
  timeout: 30_000,
}, async () => {
  const socket = connect(Number(new URL(lab.control.url).port), '127.0.0.1')
  socket.write('POST /ts2021 HTTP/1.1\r\nHost: x\r\n')
  socket.resume()
  const before = performance.now()
  await new Promise((resolve) => socket.on('close', resolve))
  expect(performance.now() - before).toBeLessThan(15_000)
})

test('threat 26: 2,000 sockets that never finish their headers cost little, are gone in time, and nobody else notices', {
  timeout: 60_000,
}, async () => {
  const { port } = new URL(lab.control.url)
  const before = process.memoryUsage().rss
  const gone: Promise<unknown>[] = []
  for (let i = 0; i < 2000; i += 1) {
    const socket = connect(Number(port), '127.0.0.1')
    socket.on('error', () => undefined)
    gone.push(new Promise((resolve) => socket.on('close', resolve)))
    socket.resume()
    socket.write('POST /ts2021 HTTP/1.1\r\nX-Slow: ')
    await new Promise((resolve) => socket.on('connect', resolve))
  }
  // Both ends of every socket live in this process.
  expect(process.memoryUsage().rss - before).toBeLessThan(2000 * 65_536)
  const { machine, session } = await lab.joined()
  const stream = machine.stream(session)
  await until(() => stream.messages.length === 1, 'the snapshot')
  const late = new Promise((resolve) => setTimeout(resolve, 20_000, 'still there').unref())
  expect(await Promise.race([...gone, Promise.resolve('none is gone')])).toBe('none is gone')
  expect(await Promise.race([Promise.all(gone).then(() => 'gone'), late])).toBe('gone')
  expect(stream.ended).toBe(false)
})
