// Strangers behind TLS, as a relay on the open internet meets them, with serveRelay and its defaults.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect, test } from 'vitest'
import { publicKeyOf } from '@mesh/keys'
import { FRAME_CLIENT_INFO, FRAME_RECV_PACKET, FRAME_SERVER_INFO } from '@mesh/wire/derp'
import { selfSignedCertificate, type ServedRelay, serveRelay } from '../../src/node/index.ts'
import { dataPacket, RELAY_PRIVATE_KEY } from '../support.ts'
import { RawClient, upgradeRequest } from './support.ts'

const SERVER_KEY = publicKeyOf(RELAY_PRIVATE_KEY)
const CERTIFICATE = selfSignedCertificate('127.0.0.1')

async function serve(): Promise<ServedRelay & AsyncDisposable> {
  const served = await serveRelay({
    privateKey: RELAY_PRIVATE_KEY,
    host: '127.0.0.1',
    port: 0,
    certificate: CERTIFICATE,
  })
  return Object.assign(served, { [Symbol.asyncDispose]: () => served.close() })
}

/** Opens TLS and sends what it is told. */
async function stranger(port: number, bytes: string | Uint8Array): Promise<Socket> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  socket.resume()
  socket.write(bytes)
  return socket
}

function ended(socket: Socket): Promise<void> {
  if (socket.closed) return Promise.resolve()
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

async function login(port: number, seed: number): Promise<RawClient> {
  const client = new RawClient(connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }), seed)
  client.socket.write(upgradeRequest())
  client.socket.write(client.loginFrame(SERVER_KEY))
  await client.until((frame) => frame.type === FRAME_SERVER_INFO)
  return client
}

/** Two clients that are served, whatever happens around them. */
async function pair({ port }: ServedRelay): Promise<{ exchange(): Promise<void> } & Disposable> {
  const [alice, bob] = [await login(port, 1), await login(port, 2)]
  return {
    async exchange() {
      bob.frames.length = 0
      alice.send(bob.key, dataPacket(1))
      await bob.until((frame) => frame.type === FRAME_RECV_PACKET)
    },
    [Symbol.dispose]() {
      alice.socket.destroy()
      bob.socket.destroy()
    },
  }
}

test('threat 26: headers of more than 8 KiB are refused, whoever sends them', async () => {
  await using served = await serve()
  using clients = await pair(served)
  const socket = await stranger(served.port, `GET /derp HTTP/1.1\r\nHost: relay\r\nX: ${'x'.repeat(9_000)}`)
  await ended(socket)
  expect(served.relay.stats.accepted).toBe(2)
  await clients.exchange()
})

test('threat 26: sockets that speak no TLS, half of it or nonsense take nothing from those that do', async () => {
  await using served = await serve()
  using clients = await pair(served)
  const hello = Buffer.from('16030100c8010000c40303', 'hex')
  const sockets = [
    ...Array.from({ length: 100 }, () => Buffer.alloc(0)),
    ...Array.from({ length: 100 }, () => hello),
    ...Array.from({ length: 100 }, (_, i) => Buffer.alloc(300, i)),
    Buffer.from(upgradeRequest()),
  ].map((bytes) => {
    const socket = connect(served.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.resume()
    socket.write(bytes)
    return socket
  })
  await clients.exchange()
  await Promise.all(sockets.slice(200).map(ended))
  await clients.exchange()
  expect(served.relay.stats).toMatchObject({ connections: 2, clients: 2 })
  for (const socket of sockets) socket.destroy()
})

test.each([
  ['that claims 1 GiB', Uint8Array.of(FRAME_CLIENT_INFO, 0x40, 0, 0, 0), 'bad-frame'],
  ['of 55 bytes', new Uint8Array([FRAME_CLIENT_INFO, 0, 0, 0, 55, ...new Uint8Array(55)]), 'bad-login'],
  [
    'whose box does not open',
    new Uint8Array([FRAME_CLIENT_INFO, 0, 0, 0, 100, ...new Uint8Array(100).fill(9)]),
    'bad-login',
  ],
] as const)(
  'S5, threat 26: a ClientInfo %s ends its connection and is counted by reason',
  async (_what, frame, reason) => {
    await using served = await serve()
    using clients = await pair(served)
    const sockets = await Promise.all(
      Array.from({ length: 20 }, () =>
        stranger(served.port, Buffer.concat([Buffer.from(upgradeRequest()), frame])),
      ),
    )
    await Promise.all(sockets.map(ended))
    expect((await served.stats()).closed).toEqual({ [reason]: 20 })
    await clients.exchange()
  },
)

test('threat 26: hundreds of strangers with a huge login that never ends stay within 256 KiB each, and in time are gone', async () => {
  await using served = await serve()
  using clients = await pair(served)
  const claimed = Buffer.concat([
    Buffer.from(upgradeRequest()),
    Uint8Array.of(FRAME_CLIENT_INFO, 0, 4, 0, 0),
    new Uint8Array(100),
  ])
  const before = process.memoryUsage().arrayBuffers
  const sockets = await Promise.all(Array.from({ length: 300 }, () => stranger(served.port, claimed)))
  await clients.exchange()
  // What is kept is what came, in steps of 2 KiB, not what was claimed: that would be 75 MiB.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20)
  await Promise.all(sockets.map(ended))
  expect((await served.stats()).closed).toEqual({ 'login-timeout': 300 })
  await clients.exchange()
})

test('S14, threat 28: two clients with one key stay connected; what is for the key goes to the one that spoke last', async () => {
  await using served = await serve()
  const [first, second, sender] = [
    await login(served.port, 5),
    await login(served.port, 5),
    await login(served.port, 6),
  ]
  for (const [speaker, other] of [
    [first, second],
    [second, first],
    [first, second],
  ] as const) {
    speaker.send(sender.key, dataPacket(1))
    await sender.until((frame) => frame.type === FRAME_RECV_PACKET)
    sender.frames.length = 0
    other.frames.length = 0
    sender.send(speaker.key, dataPacket(2))
    await speaker.until((frame) => frame.type === FRAME_RECV_PACKET)
    speaker.frames.length = 0
    expect(other.frames.filter(({ type }) => type === FRAME_RECV_PACKET)).toEqual([])
  }
  expect((await served.stats()).closed).toEqual({})
  for (const { socket } of [first, second, sender]) socket.destroy()
})
