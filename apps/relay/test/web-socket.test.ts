// DERP inside WebSockets, from Node and from what browsers have, against the program.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import type { RelayRegion } from '@mesh/derp-client'
import { connectDerp as connectWeb } from '@mesh/derp-client/browser'
import { connectDerp, type DerpConnection } from '@mesh/derp-client/node'
import { generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { startServing } from './support.ts'

type Connect = (privateKey: Uint8Array) => DerpConnection

interface Node extends Disposable {
  readonly key: Uint8Array
  readonly connection: DerpConnection
}

async function open(connect: Connect): Promise<Node> {
  const privateKey = generatePrivateKey(systemRandom)
  const connection = connect(privateKey)
  await event(connection, 'connected')
  return { key: publicKeyOf(privateKey), connection, [Symbol.dispose]: () => connection.close() }
}

function event(connection: DerpConnection, wanted: string): Promise<unknown> {
  return new Promise((resolve) => {
    const stop = connection.onEvent((each) => {
      if (each.event !== wanted) return
      stop()
      resolve(each)
    })
  })
}

function packet(to: Node): Promise<[Uint8Array, Uint8Array]> {
  return new Promise((resolve) => {
    const stop = to.connection.onPacket((source, bytes) => {
      stop()
      resolve([new Uint8Array(source), new Uint8Array(bytes)])
    })
  })
}

async function exchange(a: Node, b: Node): Promise<void> {
  for (const [from, to, length] of [
    [a, b, 1_280],
    [b, a, 65_536],
  ] as const) {
    const bytes = systemRandom(length)
    const arrived = packet(to)
    from.connection.send(to.key, bytes)
    expect(await arrived).toEqual([from.key, bytes])
  }
}

test('C1, S2: by WebSocket over TLS with a pinned certificate, packets cross to one without WebSocket', async () => {
  const tls = ['--certmode=self-signed', '--http-port=-1']
  await using relay = await startServing('--dev', '--a', '127.0.0.1:0', '--stun=false', ...tls)
  const { region } = relay
  using alice = await open((privateKey) => connectDerp({ region, privateKey, webSocket: true }))
  using bob = await open((privateKey) => connectDerp({ region, privateKey }))
  await exchange(alice, bob)
  const pong = event(alice.connection, 'pong')
  alice.connection.ping()
  await pong
  const Nodes = region.Nodes?.map((node) => ({ ...node, CertName: `sha256-raw:${'0'.repeat(64)}` })) ?? []
  const wrong = connectDerp({
    region: { ...region, Nodes },
    privateKey: generatePrivateKey(systemRandom),
    webSocket: true,
  })
  expect(await event(wrong, 'disconnected')).toMatchObject({ error: { code: 'ERR_DERP_CERTIFICATE' } })
  wrong.close()
})

test('C1, S2: what browsers have will do: packets cross, a flood is survived, and it comes back by itself', async () => {
  const first = await startServing('--dev', '--a', '127.0.0.1:0', '--stun=false')
  const { region } = first
  const plain = true
  using alice = await open((privateKey) => connectWeb({ region, privateKey, plain, preferred: true }))
  using bob = await open((privateKey) => connectWeb({ region, privateKey, plain }))
  await exchange(alice, bob)
  // More than a WebSocket takes at once: what does not fit is dropped oldest first, and the rest arrives.
  const lastOne = new Promise<void>((resolve) => {
    bob.connection.onPacket((_source, bytes) => {
      if (bytes[0] === 100) resolve()
    })
  })
  for (let i = 1; i <= 100; i += 1) alice.connection.send(bob.key, new Uint8Array(60_000).fill(i))
  await lastOne
  const [lost, back] = [event(alice.connection, 'disconnected'), event(alice.connection, 'connected')]
  await first.end('SIGKILL')
  expect(await lost).toMatchObject({ error: { code: 'ERR_DERP_CLOSED' } })
  await using _second = await startServing('--dev', '--a', `127.0.0.1:${first.port}`, '--stun=false')
  await back
})

test('a server that knows no such WebSocket is told from one that is not there', async () => {
  const server = createServer((_request, response) => response.writeHead(404).end()).listen(0, '127.0.0.1')
  server.on('upgrade', (_request, socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const region: RelayRegion = { RegionID: 1, Nodes: [{ Name: '1a', HostName: '127.0.0.1', DERPPort: port }] }
  const options = { region, privateKey: generatePrivateKey(systemRandom), plain: true }
  const node = connectDerp({ ...options, webSocket: true })
  expect(await event(node, 'disconnected')).toMatchObject({
    error: { code: 'ERR_DERP_REFUSED', message: 'the relay answered 403 to a WebSocket' },
  })
  node.close()
  const web = connectWeb(options)
  expect(await event(web, 'disconnected')).toMatchObject({ error: { code: 'ERR_DERP_UNREACHABLE' } })
  web.close()
  const nowhere = connectWeb({ ...options, region: { RegionID: 7, Nodes: [] } })
  expect(await event(nowhere, 'disconnected')).toMatchObject({ error: { code: 'ERR_DERP_NO_NODE' } })
  nowhere.close()
  server.closeAllConnections()
  server.close()
})
