// The relay behind real sockets: its doors, its small HTTP answers, and packets across plain TCP, TLS and
// WebSocket.
import { once } from 'node:events'
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import {
  encodeSendPacket,
  FRAME_RECV_PACKET,
  FRAME_SERVER_INFO,
  FRAME_SERVER_KEY,
  FrameReader,
  clientFrameLimit,
} from '@mesh/wire/derp'
import { formatHexKey, publicKeyOf } from '@mesh/keys'
import { metaCertificate, selfSignedCertificate } from '../../src/node/index.ts'
import { dataPacket, loginFrame, RELAY_PRIVATE_KEY } from '../support.ts'
import { listen, RawClient, upgradeRequest } from './support.ts'

const SERVER_KEY = publicKeyOf(RELAY_PRIVATE_KEY)

async function answerTo(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text
  })
  socket.write(request)
  await once(socket, 'close')
  return answer
}

test('S2: the 101 answer has the four headers, and packets cross', async () => {
  await using server = await listen()
  const alice = await RawClient.login(server.port, 1, SERVER_KEY)
  const bob = await RawClient.login(server.port, 2, SERVER_KEY)
  expect(alice.head.split('\r\n')).toEqual([
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: DERP',
    'Connection: Upgrade',
    'Derp-Version: 2',
    `Derp-Public-Key: ${formatHexKey(SERVER_KEY)}`,
  ])
  alice.send(bob.key, dataPacket(7, 1_280))
  const { payload } = await bob.until((frame) => frame.type === FRAME_RECV_PACKET)
  expect(payload).toEqual(new Uint8Array([...alice.key, ...dataPacket(7, 1_280)]))
})

test('threat 26: a refused client that does not hang up is hung up on', async () => {
  await using server = await listen()
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.write('GET /nothing HTTP/1.1\r\nHost: relay\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n')
  let answer = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    answer += text
  })
  await once(socket, 'end')
  expect(answer).toMatch(/^HTTP\/1\.1 404 /)
  // Its own half stays open and silent: bytes sent into it are answered with a reset once the relay let go of it.
  socket.on('error', () => socket.destroy())
  const gone = new Promise((resolve) => socket.on('close', resolve))
  const poke = setInterval(() => socket.write('?'), 100)
  await gone
  clearInterval(poke)
  expect(socket.destroyed).toBe(true)
})

test('S2: with fast start no HTTP byte precedes the ServerKey frame', async () => {
  await using server = await listen()
  const client = new RawClient(connect(server.port, '127.0.0.1'), 1, true)
  client.socket.write(upgradeRequest('Derp-Fast-Start: 1'))
  client.socket.write(client.loginFrame(SERVER_KEY))
  await client.until((frame) => frame.type === FRAME_SERVER_INFO)
  expect(client.frames[0]?.type).toBe(FRAME_SERVER_KEY)
})

test.each([
  ['with the 101 answer', []],
  ['with fast start', ['Derp-Fast-Start: 1']],
])('S4: a login in the same segment as the request is not lost, %s', async (_how, lines) => {
  await using server = await listen()
  const client = new RawClient(connect(server.port, '127.0.0.1'), 1, lines.length > 0)
  client.socket.write(Buffer.concat([Buffer.from(upgradeRequest(...lines)), client.loginFrame(SERVER_KEY)]))
  expect((await client.until((frame) => frame.type === FRAME_SERVER_INFO)).payload.length).toBeGreaterThan(40)
})

test('S2: websocket without the subprotocol gets DERP framing', async () => {
  await using server = await listen()
  const client = new RawClient(connect(server.port, '127.0.0.1'), 1)
  client.socket.write(upgradeRequest().replace('Upgrade: DERP', 'Upgrade: WebSocket'))
  client.socket.write(client.loginFrame(SERVER_KEY))
  await client.until((frame) => frame.type === FRAME_SERVER_INFO)
  expect(client.head).toContain('Upgrade: DERP')
})

test('S2: a WebSocket with subprotocol derp carries the same stream', async () => {
  await using server = await listen()
  const bob = await RawClient.login(server.port, 2, SERVER_KEY)
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/derp`, ['derp'])
  const reader = new FrameReader(clientFrameLimit)
  const seen: number[] = []
  socket.on('message', (data: Buffer) => {
    reader.feed(data)
    for (let frame = reader.read(); frame !== undefined; frame = reader.read()) seen.push(frame.type)
  })
  await once(socket, 'open')
  const bytes = Buffer.concat([
    loginFrame(new Uint8Array(32).fill(1), SERVER_KEY),
    encodeSendPacket({ destination: bob.key, packet: dataPacket(3) }),
  ])
  for (let at = 0; at < bytes.length; at += 50) socket.send(bytes.subarray(at, at + 50))
  await bob.until((frame) => frame.type === FRAME_RECV_PACKET)
  expect(socket.protocol).toBe('derp')
  expect(seen).toEqual([FRAME_SERVER_KEY, FRAME_SERVER_INFO])
  socket.terminate()
})

test('S2: plain GET /derp, and an upgrade to something else, get 426; other paths get 404', async () => {
  await using server = await listen()
  const plain = await fetch(`http://127.0.0.1:${server.port}/derp`)
  expect(plain.status).toBe(426)
  expect(await answerTo(server.port, upgradeRequest().replace('DERP', 'h2c'))).toMatch(/^HTTP\/1\.1 426 /)
  expect(await answerTo(server.port, upgradeRequest().replace('/derp', '/other'))).toMatch(/^HTTP\/1\.1 404 /)
})

test('S17: probes, the captive-portal check and robots.txt', async () => {
  await using server = await listen()
  const url = `http://127.0.0.1:${server.port}`
  for (const path of ['/derp/probe', '/derp/latency-check?x']) {
    const probe = await fetch(url + path)
    expect([probe.status, probe.headers.get('access-control-allow-origin'), await probe.text()]).toEqual([
      200,
      '*',
      '',
    ])
    expect((await fetch(url + path, { method: 'HEAD' })).status).toBe(200)
    expect((await fetch(url + path, { method: 'POST' })).status).toBe(405)
  }
  const check = await fetch(`${url}/generate_204`, { headers: { 'X-Tailscale-Challenge': 'ts_a.b:C-1' } })
  expect([check.status, check.headers.get('x-tailscale-response')]).toEqual([204, 'response ts_a.b:C-1'])
  expect(check.headers.get('cache-control')).toContain('no-store')
  for (const challenge of ['a b', 'x'.repeat(65), '<x>']) {
    const odd = await fetch(`${url}/generate_204`, { headers: { 'X-Tailscale-Challenge': challenge } })
    expect(odd.headers.get('x-tailscale-response')).toBeNull()
  }
  expect(await (await fetch(`${url}/robots.txt`)).text()).toContain('Disallow: /')
})

test('S3: over TLS the last certificate presented carries the relay key and serial 2, and packets cross', async () => {
  const pair = selfSignedCertificate('127.0.0.1')
  await using server = await listen({}, { ...pair, cert: pair.cert + metaCertificate(SERVER_KEY) })
  const open = async (seed: number): Promise<RawClient> => {
    const socket = connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false })
    await once(socket, 'secureConnect')
    const chain = [socket.getPeerX509Certificate()]
    while (chain.at(-1)?.issuerCertificate !== undefined) chain.push(chain.at(-1)?.issuerCertificate)
    expect(chain).toHaveLength(2)
    expect(chain[1]?.subject).toBe(`CN=derpkey${formatHexKey(SERVER_KEY)}`)
    expect(chain[1]?.serialNumber).toBe('02')
    const client = new RawClient(socket, seed, true)
    client.socket.write(upgradeRequest('Derp-Fast-Start: 1'))
    client.socket.write(client.loginFrame(SERVER_KEY))
    await client.until((frame) => frame.type === FRAME_SERVER_INFO)
    return client
  }
  const [alice, bob] = [await open(1), await open(2)]
  alice.send(bob.key, dataPacket(9))
  await bob.until((frame) => frame.type === FRAME_RECV_PACKET)
  alice.socket.destroy()
  bob.socket.destroy()
})

test('S19, threat 29: only keys that verifyClient likes come in, and an error is a no', async () => {
  const liked = publicKeyOf(new Uint8Array(32).fill(1))
  await using server = await listen({
    verifyClient: async ({ nodeKey, source }) => {
      expect(source).toBe('127.0.0.1')
      await Promise.resolve()
      if (nodeKey[0] === liked[0]) return true
      throw new Error('no')
    },
  })
  await RawClient.login(server.port, 1, SERVER_KEY)
  await expect(RawClient.login(server.port, 2, SERVER_KEY)).rejects.toThrow('hung up')
})

test('S13, threat 27: a receiver that stops reading is cut off; the others and the heap go on', async () => {
  await using server = await listen({ writeTimeout: 300 })
  const alice = await RawClient.login(server.port, 1, SERVER_KEY)
  const bob = await RawClient.login(server.port, 2, SERVER_KEY)
  const carol = await RawClient.login(server.port, 3, SERVER_KEY)
  bob.socket.pause()
  const packet = dataPacket(1, 60_000)
  while (server.relay.stats.writeTimeouts === 0) {
    for (let i = 0; i < 10; i += 1) alice.send(bob.key, packet)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect(server.relay.stats.dropped.queue_head).toBeGreaterThan(0)
  alice.send(carol.key, dataPacket(2))
  await carol.until((frame) => frame.type === FRAME_RECV_PACKET)
  bob.socket.destroy()
})

test('close hangs up on everybody', async () => {
  await using server = await listen()
  const alice = await RawClient.login(server.port, 1, SERVER_KEY)
  server.relay.close()
  server.relay.close()
  await alice.untilEnd()
  expect(await answerTo(server.port, upgradeRequest())).toMatch(/^HTTP\/1\.1 503 /)
})
