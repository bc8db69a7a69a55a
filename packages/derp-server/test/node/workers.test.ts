// One relay on several cores, with real threads behind one port.
import { once } from 'node:events'
import { createServer } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatHexKey, publicKeyOf } from '@mesh/keys'
import { encodeSendPacket, FRAME_PEER_GONE, FRAME_RECV_PACKET, FRAME_SERVER_INFO } from '@mesh/wire/derp'
import {
  selfSignedCertificate,
  type ServedRelay,
  serveRelay,
  type ServeRelayOptions,
} from '../../src/node/index.ts'
import { dataPacket, RELAY_PRIVATE_KEY } from '../support.ts'
import { RawClient, upgradeRequest } from './support.ts'

const SERVER_KEY = publicKeyOf(RELAY_PRIVATE_KEY)

const threads: Worker[] = []
const note = (worker: Worker): void => void threads.push(worker)
beforeAll(() => void process.on('worker', note))
afterAll(() => void process.off('worker', note))

async function serve(options: Partial<ServeRelayOptions> = {}): Promise<ServedRelay & AsyncDisposable> {
  threads.length = 0
  const served = await serveRelay({
    privateKey: RELAY_PRIVATE_KEY,
    host: '127.0.0.1',
    port: 0,
    workers: 2,
    ...options,
  })
  return Object.assign(served, { [Symbol.asyncDispose]: () => served.close() })
}

async function login(served: ServedRelay, seed: number, tls = false): Promise<RawClient> {
  if (!tls) return RawClient.login(served.port, seed, SERVER_KEY)
  const socket = connectTls({ port: served.port, host: '127.0.0.1', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const client = new RawClient(socket, seed)
  client.socket.write(upgradeRequest())
  client.socket.write(client.loginFrame(SERVER_KEY))
  await client.until((frame) => frame.type === FRAME_SERVER_INFO)
  return client
}

interface Spread {
  /** Clients of the part in this thread, and those of the other. */
  readonly here: RawClient[]
  readonly there: RawClient[]
}

/** Logs in until there are `count` clients in each of two parts; the system decides which part gets whom. */
async function spread(served: ServedRelay, count: number, tls = false, first = 1): Promise<Spread> {
  const all: Spread = { here: [], there: [] }
  for (let seed = first; all.here.length < count || all.there.length < count; seed += 1) {
    const before = served.relay.stats.clients
    const client = await login(served, seed, tls)
    all[served.relay.stats.clients > before ? 'here' : 'there'].push(client)
  }
  await until(() => served.relay.stats.clientsElsewhere === all.there.length)
  return all
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5))
}

async function exchange(from: RawClient, to: RawClient, mark: number): Promise<void> {
  to.frames.length = 0
  from.send(to.key, dataPacket(mark, 1_000))
  const { payload } = await to.until((frame) => frame.type === FRAME_RECV_PACKET)
  expect(payload).toEqual(new Uint8Array([...from.key, ...dataPacket(mark, 1_000)]))
}

test.each([
  ['plain HTTP', false],
  ['TLS', true],
])('two threads share a port with %s, and everybody reaches everybody', async (_name, tls) => {
  const certificate = tls ? { certificate: selfSignedCertificate('127.0.0.1') } : {}
  await using served = await serve(certificate)
  const { here, there } = await spread(served, 2, tls)
  expect(served.workers).toBe(2)
  await exchange(here[0]!, there[0]!, 1)
  await exchange(there[0]!, here[0]!, 2)
  await exchange(there[0]!, there[1]!, 3)
  await exchange(here[0]!, here[1]!, 4)
  there[0]!.socket.destroy()
  const gone = await here[0]!.until((frame) => frame.type === FRAME_PEER_GONE)
  expect(gone.payload).toEqual(new Uint8Array([...there[0]!.key, 0]))
  for (const { socket } of [...here, ...there]) socket.destroy()
})

test('S16: whoever was just let in by one thread is reached from the other at once', async () => {
  await using served = await serve()
  const { here, there } = await spread(served, 1)
  for (let seed = 100; seed < 140; seed += 1) {
    const fresh = await login(served, seed)
    for (const from of [here[0]!, there[0]!]) from.send(fresh.key, dataPacket(seed))
    await fresh.until(() => fresh.frames.filter(({ type }) => type === FRAME_RECV_PACKET).length === 2)
    fresh.socket.destroy()
  }
  expect((await served.stats()).dropped.unknown_dest).toBe(0)
})

test('S17: the counters of all threads are shown together', async () => {
  await using served = await serve()
  const { here, there } = await spread(served, 1)
  await exchange(here[0]!, there[0]!, 1)
  const clients = here.length + there.length
  expect(await served.stats()).toMatchObject({ clients, connections: clients, clientsElsewhere: 0 })
  expect((await fetch(`http://127.0.0.1:${served.port}/nothing`)).status).toBe(404)
})

test('pages that are not the relay’s are asked for in the main thread', async () => {
  await using served = await serve({
    page: ({ url }) => ({ status: 200, headers: { 'X-Page': url }, body: 'website' }),
  })
  for (let i = 0; i < 20; i += 1) {
    const answer = await fetch(`http://127.0.0.1:${served.port}/?${i}`, { headers: { Connection: 'close' } })
    expect([answer.headers.get('x-page'), await answer.text()]).toEqual([`/?${i}`, 'website'])
  }
})

test('S19: whichever thread a client comes to, one and the same function says whether it may come in', async () => {
  const asked: string[] = []
  const refused = publicKeyOf(new Uint8Array(32).fill(200))
  await using served = await serve({
    verifyClient: ({ nodeKey, source }) => {
      asked.push(`${source} ${formatHexKey(nodeKey)}`)
      return formatHexKey(nodeKey) !== formatHexKey(refused)
    },
  })
  const { here, there } = await spread(served, 2)
  expect(asked.sort()).toEqual([...here, ...there].map(({ key }) => `127.0.0.1 ${formatHexKey(key)}`).sort())
  for (let i = 0; i < 10; i += 1) await expect(login(served, 200)).rejects.toThrow('hung up')
})

test('S16: a sibling joined in one thread is reached from all, and reaches all', async () => {
  await using served = await serve()
  const { here, there } = await spread(served, 1)
  const handed: string[] = []
  const sibling = served.relay.joinSibling((source, destination, packet) => {
    handed.push(`${formatHexKey(source)} ${formatHexKey(destination)} ${packet[0]}`)
  })
  const far = new Uint8Array(32).fill(99)
  sibling.peerPresent(far)
  await until(async () => {
    for (const from of [here[0]!, there[0]!]) from.send(far, dataPacket(5))
    await new Promise((resolve) => setTimeout(resolve, 5))
    return [here[0]!, there[0]!].every(({ key }) =>
      handed.includes(`${formatHexKey(key)} ${formatHexKey(far)} 5`),
    )
  })
  sibling.close()
  await new Promise((resolve) => setTimeout(resolve, 100))
  handed.length = 0
  const before = (await served.stats()).dropped.unknown_dest
  there[0]!.send(far, dataPacket(6))
  await until(async () => (await served.stats()).dropped.unknown_dest > before)
  expect(handed).toEqual([])
})

test('a thread that dies takes nobody else with it, and another takes its place', async () => {
  const deaths: Error[] = []
  await using served = await serve({ onWorkerDeath: (error) => deaths.push(error) })
  const { here, there } = await spread(served, 2)
  const ended = there.map((client) => client.untilEnd())
  await threads[0]!.terminate()
  await Promise.all(ended)
  expect(deaths).toHaveLength(1)
  await exchange(here[0]!, here[1]!, 1)
  await until(() => served.workers === 2)
  const again = await spread(served, 1, false, 100)
  await exchange(again.there[0]!, here[0]!, 2)
  await exchange(here[0]!, again.there[0]!, 3)
})

test('the receive limit and the certificate are changed in every thread, and in those that come later', async () => {
  const first = selfSignedCertificate('127.0.0.1')
  await using served = await serve({ certificate: first })
  const next = selfSignedCertificate('127.0.0.1')
  served.setCertificate(next)
  served.setReceiveLimit({ bytesPerSecond: 1 })
  await threads[0]!.terminate()
  await until(() => served.workers === 2)
  const { here, there } = await spread(served, 2, true)
  for (const { socket } of [...here, ...there]) {
    const { raw } = (socket as ReturnType<typeof connectTls>).getPeerCertificate()
    expect(next.cert.replaceAll(/-----.*-----|\n/g, '')).toBe(raw.toString('base64'))
  }
  // Beyond its burst, a client in either thread is slowed down.
  const frame = encodeSendPacket({ destination: here[0]!.key, packet: dataPacket(1, 60_000) })
  for (const client of [here[1]!, there[1]!]) {
    const { pauses } = await served.stats()
    client.socket.write(Buffer.concat([frame, frame, frame]))
    await until(async () => (await served.stats()).pauses > pauses)
  }
  for (const { socket } of [...here, ...there]) socket.destroy()
})

test('an authority that asks for a proof gets it from whichever thread it comes to, and clients do not', async () => {
  const own = selfSignedCertificate('relay.example')
  const proof = selfSignedCertificate('proof.example')
  await using served = await serve({ certificate: own })
  const presented = async (protocol: string): Promise<string> => {
    const options = { port: served.port, host: '127.0.0.1', rejectUnauthorized: false }
    const socket = connectTls({ ...options, ALPNProtocols: [protocol] })
    await Promise.race([once(socket, 'secureConnect'), once(socket, 'error')])
    const name = socket.getPeerX509Certificate()?.subject ?? 'nothing'
    socket.destroy()
    return name
  }
  await served.setChallenge(proof)
  for (let i = 0; i < 10; i += 1) {
    expect(await presented('acme-tls/1')).toBe('CN=proof.example')
    expect(await presented('http/1.1')).toBe('CN=relay.example')
  }
  await served.setChallenge(undefined)
  expect(await presented('http/1.1')).toBe('CN=relay.example')
  await expect(presented('acme-tls/1')).rejects.toThrow(/alert/)
})

test('a thread that is begun anew in the middle of an order knows the proof', async () => {
  const proof = selfSignedCertificate('proof.example')
  await using served = await serve({ certificate: selfSignedCertificate('relay.example') })
  await served.setChallenge(proof)
  await threads[0]!.terminate()
  await until(() => served.workers === 2)
  for (let i = 0; i < 20; i += 1) {
    const options = { port: served.port, host: '127.0.0.1', rejectUnauthorized: false }
    const socket = connectTls({ ...options, ALPNProtocols: ['acme-tls/1'] })
    await once(socket, 'secureConnect')
    expect(socket.getPeerX509Certificate()?.subject).toBe('CN=proof.example')
    socket.destroy()
  }
})

test('clients of one identity share their quota, whichever thread they are at', async () => {
  const strangers = new Set(
    Array.from({ length: 50 }, (_, i) => formatHexKey(publicKeyOf(new Uint8Array(32).fill(100 + i)))),
  )
  await using served = await serve({
    verifyClient: ({ nodeKey }) => ({
      identity: strangers.has(formatHexKey(nodeKey)) ? 'bob' : 'ann',
      bytesPerSecond: 1_000,
    }),
  })
  const { here, there } = await spread(served, 2)
  const send = (from: RawClient, length: number): void => from.send(here[1]!.key, dataPacket(1, length))
  const received = async (): Promise<number> => (await served.stats()).packetsReceived
  send(here[0]!, 50_000)
  await until(async () => (await received()) === 1)
  expect((await served.stats()).pauses).toBe(0)
  send(there[0]!, 50_000)
  await until(async () => (await served.stats()).pauses === 1)
  // Whoever is of another identity has an account of its own.
  const other = await login(served, 100)
  send(other, 50_000)
  await until(async () => (await received()) === 3)
  expect((await served.stats()).pauses).toBe(1)
})

test('S20: draining sends what is held in every thread, and then hangs up', async () => {
  const served = await serve()
  const { here, there } = await spread(served, 2)
  here[0]!.send(here[1]!.key, dataPacket(1))
  there[0]!.send(there[1]!.key, dataPacket(1))
  await Promise.all([here, there].map(([, to]) => to!.until((frame) => frame.type === FRAME_RECV_PACKET)))
  await served.drain(1_000)
  await Promise.all([...here, ...there].map((client) => client.untilEnd()))
  await expect(login(served, 1)).rejects.toThrow('hung up')
})

test('threat 26: the accept limit is that of all threads together', async () => {
  await using served = await serve({ acceptLimit: { perSecond: 4, burst: 8 } })
  const outcomes = await Promise.all(
    Array.from({ length: 60 }, (_, i) =>
      login(served, 1 + i).then(
        () => 'in',
        () => 'refused',
      ),
    ),
  )
  expect(outcomes.filter((outcome) => outcome === 'in').length).toBeLessThanOrEqual(16)
  expect((await served.stats()).closed['accept-limit']).toBeGreaterThanOrEqual(44)
})

test('a port that is taken is said so', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as { port: number }
  await expect(serve({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await expect(serve({ workers: 0 })).rejects.toThrow(RangeError)
  other.close()
})
