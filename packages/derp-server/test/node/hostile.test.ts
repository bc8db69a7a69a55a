// Strangers with many sockets, endless bodies and no intention to log in.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { publicKeyOf } from '@mesh/keys'
import { ManualClock, seededRandom } from '@mesh/sansio'
import { FRAME_RECV_PACKET } from '@mesh/wire/derp'
import { dataPacket, RELAY_PRIVATE_KEY } from '../support.ts'
import { WRITE_WINDOW } from '../../src/index.ts'
import { limitAccepts, selfSignedCertificate } from '../../src/node/index.ts'
import { listen, type ListeningRelay, RawClient, upgradeRequest } from './support.ts'

const SERVER_KEY = publicKeyOf(RELAY_PRIVATE_KEY)
const STRANGERS = 500

/** Opens a socket, sends what it is told and reads whatever comes. */
async function stranger(port: number, bytes: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.resume()
  socket.write(bytes)
  return socket
}

/** Waits for the end of a socket, be it by an error. */
function ended(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

test('threat 26: hundreds that upgrade and then say nothing are gone after 10 s; others are served meanwhile', async () => {
  const clock = new ManualClock()
  await using server = await listen({ clock })
  const sockets: Socket[] = []
  for (let i = 0; i < STRANGERS; i += 1) sockets.push(await stranger(server.port, upgradeRequest()))
  const allEnded = Promise.all(sockets.map(ended))
  const alice = await RawClient.login(server.port, 1, SERVER_KEY)
  const bob = await RawClient.login(server.port, 2, SERVER_KEY)
  expect(server.relay.stats.connections).toBe(STRANGERS + 2)
  alice.send(bob.key, dataPacket(1))
  await bob.until((frame) => frame.type === FRAME_RECV_PACKET)
  clock.advanceBy(10_000)
  await allEnded
  expect(server.relay.stats).toMatchObject({ connections: 2, clients: 2, refused: STRANGERS })
})

test('threat 26: an endless upload is answered and cut off', async () => {
  await using server = await listen()
  const head = 'POST /derp/probe HTTP/1.1\r\nHost: relay\r\nContent-Length: 1073741824\r\n\r\n'
  const socket = await stranger(server.port, head)
  const closed = ended(socket)
  const chunk = Buffer.alloc(65_536)
  let sent = 0
  const upload = (): void => {
    while (socket.writable && sent < 1_073_741_824) {
      sent += chunk.length
      if (!socket.write(chunk)) break
    }
  }
  socket.on('drain', upload)
  upload()
  await closed
  expect(sent).toBeLessThan(64 * 1_048_576)
})

test('threat 26: a client that claims a frame of 64 KiB + 1 is cut off before it sends it', async () => {
  await using server = await listen()
  const client = await RawClient.login(server.port, 1, SERVER_KEY)
  client.socket.write(Uint8Array.of(4, 0, 1, 0, 33))
  await client.untilEnd()
  expect(server.relay.stats.clients).toBe(0)
})

/** Two clients that are served, whatever happens around them. */
async function pair(server: ListeningRelay): Promise<() => Promise<void>> {
  const alice = await RawClient.login(server.port, 1, SERVER_KEY)
  const bob = await RawClient.login(server.port, 2, SERVER_KEY)
  return async () => {
    bob.frames.length = 0
    alice.send(bob.key, dataPacket(1))
    await bob.until((frame) => frame.type === FRAME_RECV_PACKET)
  }
}

/** Bytes in buffers that are still in use, once the collector, which frees them in the background, has come to rest. */
async function bufferBytes(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  let least = Infinity
  for (let i = 0; i < 10; i += 1) {
    collect()
    await new Promise((resolve) => setTimeout(resolve, 20))
    least = Math.min(least, process.memoryUsage().arrayBuffers)
  }
  return least
}

test('threat 26: 2,000 sockets that never finish their headers cost little, are gone in time, and nobody else notices', async () => {
  await using server = await listen()
  const exchange = await pair(server)
  const before = process.memoryUsage().rss
  const sockets: Socket[] = []
  for (let i = 0; i < 2_000; i += 1)
    sockets.push(await stranger(server.port, 'GET /derp HTTP/1.1\r\nX-Slow: '))
  await exchange()
  for (const socket of sockets) socket.write('a')
  await exchange()
  // Both ends of every socket live in this process.
  expect(process.memoryUsage().rss - before).toBeLessThan(2_000 * 65_536)
  const allEnded = Promise.all(sockets.map(ended))
  server.server.headersTimeout = 1
  await allEnded
  await exchange()
  expect(server.relay.stats).toMatchObject({ connections: 2, clients: 2 })
})

test.each([
  ['a login', 2],
  ['a packet', 4],
])(
  'threat 26: %s that claims 1 GiB ends the connection at once and allocates nothing',
  async (_what, type) => {
    await using server = await listen()
    const exchange = await pair(server)
    const before = await bufferBytes()
    const sockets: Socket[] = []
    for (let i = 0; i < 100; i += 1) {
      const socket = await stranger(server.port, upgradeRequest())
      const closed = ended(socket)
      socket.write(Uint8Array.of(type, 0x40, 0, 0, 0, 1, 2, 3))
      await closed
      sockets.push(socket)
    }
    expect((await bufferBytes()) - before).toBeLessThan(16 << 20)
    expect(server.relay.stats.closed).toEqual({ 'bad-frame': 100 })
    await exchange()
  },
)

test('threat 26: of thousands of connections a second the limit takes its share, and those that are in go on', async () => {
  await using server = await listen()
  const exchange = await pair(server)
  const clock = new ManualClock()
  const counter = limitAccepts(server.server, { perSecond: 10, burst: 20, clock })
  const all = Promise.all(
    Array.from({ length: 2_000 }, async () => {
      const socket = connect(server.port, '127.0.0.1')
      socket.on('error', () => undefined)
      socket.write(upgradeRequest())
      const answered = new Promise((resolve) => socket.once('data', () => resolve('answered')))
      return Promise.race([answered, ended(socket)])
    }),
  )
  const outcomes = await all
  expect(outcomes.filter((outcome) => outcome === 'answered')).toHaveLength(20)
  expect(counter.refused).toBe(1_980)
  await exchange()
  clock.advanceBy(1_000)
  await (await pair(server))()
})

test('threat 26: a TLS server hangs up on what is above the limit before it spends a handshake', async () => {
  await using server = await listen({}, selfSignedCertificate('127.0.0.1'))
  const counter = limitAccepts(server.server, { perSecond: 1, burst: 1, clock: new ManualClock() })
  const shake = async (): Promise<string> => {
    const socket = connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false })
    const outcome = await new Promise<string>((resolve) => {
      socket.once('secureConnect', () => resolve('secure'))
      socket.once('error', () => resolve('refused'))
      socket.once('close', () => resolve('refused'))
    })
    socket.destroy()
    return outcome
  }
  expect([await shake(), await shake(), await shake()]).toEqual(['secure', 'refused', 'refused'])
  expect(counter.refused).toBe(2)
})

test('garbage after the upgrade ends the connection, at the latest when the login is overdue', async () => {
  const clock = new ManualClock()
  await using server = await listen({ clock })
  const exchange = await pair(server)
  const random = seededRandom(7)
  const sockets: Socket[] = []
  for (let i = 0; i < 300; i += 1) {
    const socket = await stranger(server.port, upgradeRequest())
    sockets.push(socket)
    socket.write(random(1 + (i % 200) * 10))
  }
  await exchange()
  const open = sockets.filter((socket) => !socket.closed)
  const allEnded = Promise.all(open.map(ended))
  clock.advanceBy(10_000)
  await allEnded
  await exchange()
  expect(server.relay.stats).toMatchObject({ connections: 2, clients: 2, accepted: 302 })
  const { closed } = server.relay.stats
  expect((closed['bad-login'] ?? 0) + (closed['bad-frame'] ?? 0) + (closed['login-timeout'] ?? 0)).toBe(300)
})

test('threat 27: twenty clients that never read cost a bounded memory, and the others nothing', async () => {
  await using server = await listen({ writeTimeout: 0 })
  const exchange = await pair(server)
  const sender = await RawClient.login(server.port, 3, SERVER_KEY)
  const frozen: RawClient[] = []
  for (let seed = 10; seed < 30; seed += 1) {
    const client = await RawClient.login(server.port, seed, SERVER_KEY)
    client.socket.pause()
    frozen.push(client)
  }
  const packet = dataPacket(1, 1_400)
  const before = await bufferBytes()
  // A hundred megabytes, of which hardly anything can be delivered.
  for (let round = 0; round < 70; round += 1) {
    for (let i = 0; i < 50; i += 1) for (const { key } of frozen) sender.send(key, packet)
    while (sender.socket.writableLength > 0) await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await exchange()
  expect(server.relay.stats.dropped.queue_head).toBeGreaterThan(10_000)
  // Two windows and two queues each, and what the other ends of all sockets hold in this process.
  expect((await bufferBytes()) - before).toBeLessThan(
    frozen.length * (2 * WRITE_WINDOW + 64 * 1_437) + (16 << 20),
  )
  for (const client of frozen) client.socket.destroy()
})
