// The program and our own client, over plain TCP and TLS: who is believed, who is let in, and what happens when
// the relay goes away.
import { X509Certificate } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { expect, test } from 'vitest'
import type { DerpEvent, RelayRegion } from '@mesh/derp-client'
import { connectDerp, type DerpConnection, type DerpConnectionOptions } from '@mesh/derp-client/node'
import { certificatePin, createRelay, metaCertificate, selfSignedCertificate } from '@mesh/derp-server/node'
import { formatNodeKey, generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { scratch, startServing } from './support.ts'

interface Node {
  readonly key: Uint8Array
  readonly connection: DerpConnection
  next<E extends DerpEvent['event']>(event: E): Promise<Extract<DerpEvent, { event: E }>>
  packet(): Promise<{ source: Uint8Array; packet: Uint8Array }>
}

const open: DerpConnection[] = []

function node(region: RelayRegion, options: Partial<DerpConnectionOptions> = {}): Node {
  const privateKey = generatePrivateKey(systemRandom)
  const connection = connectDerp({ region, privateKey, ...options })
  open.push(connection)
  return {
    key: publicKeyOf(privateKey),
    connection,
    next: (wanted) =>
      new Promise((resolve) => {
        const stop = connection.onEvent((event) => {
          if (event.event !== wanted) return
          stop()
          resolve(event as never)
        })
      }),
    packet: () =>
      new Promise((resolve) => {
        const stop = connection.onPacket((source, packet) => {
          stop()
          resolve({ source: new Uint8Array(source), packet: new Uint8Array(packet) })
        })
      }),
  }
}

function closeAll(): void {
  for (const connection of open.splice(0)) connection.close()
}

function changed(region: RelayRegion, change: object): RelayRegion {
  return { ...region, Nodes: region.Nodes?.map((each) => ({ ...each, ...change })) ?? [] }
}

async function exchange(region: RelayRegion, options: Partial<DerpConnectionOptions> = {}): Promise<void> {
  const [alice, bob] = [node(region, options), node(region, options)]
  await Promise.all([alice.next('connected'), bob.next('connected')])
  for (const [from, to, length] of [
    [alice, bob, 1_280],
    [bob, alice, 65_536],
  ] as const) {
    const packet = systemRandom(length)
    const arrived = to.packet()
    from.connection.send(to.key, packet)
    expect(await arrived).toEqual({ source: from.key, packet })
  }
  const gone = alice.next('peer-gone')
  bob.connection.close()
  expect(await gone).toMatchObject({ nodeKey: bob.key, reason: 0 })
  closeAll()
}

test('S7, S11, C1: packets cross a plain relay both ways, and a departure is told', async () => {
  await using relay = await startServing('--dev', '--a', '127.0.0.1:0', '--stun=false')
  await exchange(relay.region)
  await exchange(changed(relay.region, { InsecureForTests: false }), { plain: true })
  expect(relay.url).toMatch(/^http:/)
})

test('S7, C1, C3: the same over TLS, with the certificate pinned in the map', async () => {
  await using relay = await startServing(
    '--dev',
    '--a',
    '127.0.0.1:0',
    '--stun=false',
    '--certmode=self-signed',
    '--http-port=-1',
  )
  expect(relay.url).toMatch(/^https:/)
  await exchange(relay.region)
  await exchange(changed(relay.region, { CertName: '', InsecureForTests: true }))
})

test('C1, S3: a relay whose certificate tells its key is logged in to by fast start', async () => {
  const relay = createRelay({ privateKey: generatePrivateKey(systemRandom) })
  const pair = selfSignedCertificate('127.0.0.1')
  const server = createTlsServer({ ...pair, cert: pair.cert + metaCertificate(relay.publicKey) })
  const fastStarts: unknown[] = []
  server.on('upgrade', (request, socket, head) => {
    fastStarts.push(request.headers['derp-fast-start'])
    relay.handleUpgrade(request, socket, head)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const DERPPort = (server.address() as AddressInfo).port
  const CertName = certificatePin(new X509Certificate(pair.cert).raw)
  await exchange({ RegionID: 1, Nodes: [{ Name: '1a', HostName: '127.0.0.1', DERPPort, CertName }] })
  expect(fastStarts).toEqual(['1', '1'])
  relay.close()
  server.close()
})

test('C3: a certificate that the map does not vouch for is not believed', async () => {
  await using relay = await startServing(
    '--dev',
    '--a',
    '127.0.0.1:0',
    '--stun=false',
    '--certmode=self-signed',
    '--http-port=-1',
  )
  const expectMistrust = async (change: object): Promise<void> => {
    const { error } = await node(changed(relay.region, change)).next('disconnected')
    expect(error.code).toBe('ERR_DERP_CERTIFICATE')
    closeAll()
  }
  await expectMistrust({ CertName: `sha256-raw:${'0'.repeat(64)}` })
  await expectMistrust({ CertName: '' })
  await expectMistrust({ CertName: 'relay.example' })
  await expectMistrust({ HostName: 'localhost' })
})

test('S20, C5: clients come back by themselves when the relay was killed and started again', async () => {
  using folder = scratch()
  const args = ['--stun=false', '-c', folder.file('relay.json')]
  const first = await startServing('--a', '127.0.0.1:0', ...args)
  const [alice, bob] = [node(first.region), node(first.region)]
  await Promise.all([alice.next('connected'), bob.next('connected')])
  const lost = alice.next('disconnected')
  await first.end('SIGKILL')
  expect((await lost).error.code).toMatch(/^ERR_DERP_/)
  const back = Promise.all([alice.next('connected'), bob.next('connected')])
  await using _second = await startServing('--a', `127.0.0.1:${first.port}`, ...args)
  const [event] = await back
  expect(event.serverKey).toHaveLength(32)
  const arrived = bob.packet()
  alice.connection.send(bob.key, Uint8Array.of(1))
  expect((await arrived).packet).toEqual(Uint8Array.of(1))
  closeAll()
})

test('ends at once when told to, with clients connected over TLS and sockets that never said a word', async () => {
  await using relay = await startServing(
    '--dev',
    '--a',
    '127.0.0.1:0',
    '--stun=false',
    '--certmode=self-signed',
    '--http-port=-1',
  )
  await node(relay.region).next('connected')
  const silent = connect(relay.port, '127.0.0.1').on('error', () => undefined)
  await once(silent, 'connect')
  const started = performance.now()
  expect(await relay.end('SIGTERM')).toBe(0)
  expect(performance.now() - started).toBeLessThan(5_000)
  silent.destroy()
  closeAll()
})

test('threat 28: two machines with one key are told so, and neither is thrown out', async () => {
  await using relay = await startServing('--dev', '--a', '127.0.0.1:0', '--stun=false')
  const privateKey = generatePrivateKey(systemRandom)
  const twins = [node(relay.region, { privateKey }), node(relay.region, { privateKey })]
  await Promise.all(twins.map((twin) => twin.next('connected')))
  const told = Promise.all(twins.map((twin) => twin.next('health')))
  for (const twin of [...twins, ...twins]) {
    twin.connection.ping()
    await twin.next('pong')
  }
  for (const event of await told) expect(event.problem).toContain('same time')
  expect(twins.map((twin) => twin.connection.stats.connects)).toEqual([1, 1])
  closeAll()
})

/** An admission server that says what `decide` says. */
async function admissionServer(
  decide: (asked: unknown, response: ServerResponse) => void,
): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((request: IncomingMessage, response) => {
    let body = ''
    request.on('data', (text: Buffer) => {
      body += text.toString()
    })
    request.on('end', () => decide(JSON.parse(body), response))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/verify`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

test('S19, threat 29: the admission URL decides, and its failure is what the flag says', async () => {
  const asked: unknown[] = []
  let answer: (response: ServerResponse) => void = (response) => response.end('{"Allow":true}')
  await using judge = await admissionServer((question, response) => {
    asked.push(question)
    answer(response)
  })
  const args = ['--dev', '--a', '127.0.0.1:0', '--stun=false', '--verify-client-url', judge.url]
  await using relay = await startServing(...args)
  const welcome = node(relay.region)
  await welcome.next('connected')
  expect(asked).toEqual([{ NodePublic: formatNodeKey(welcome.key), Source: '127.0.0.1' }])
  for (const no of ['{"Allow":false}', '{}', 'nonsense', `{"Allow":true,"x":"${'x'.repeat(5_000)}"}`]) {
    answer = (response) => response.end(no)
    expect((await node(relay.region).next('disconnected')).error.code).toBe('ERR_DERP_CLOSED')
    closeAll()
  }
  answer = (response) => response.writeHead(500).end()
  await node(relay.region).next('disconnected')
  answer = (response) => response.destroy()
  await node(relay.region).next('connected')
  await using strict = await startServing(...args, '--verify-client-url-fail-open=false')
  await node(strict.region).next('disconnected')
  closeAll()
})

test('S19: with --verify-clients the daemon on this machine is asked for each key', async () => {
  using folder = scratch()
  const asked: (string | undefined)[] = []
  const daemon = createServer((request, response) => {
    asked.push(request.url)
    response.writeHead(asked.length === 1 ? 200 : 404).end()
  })
  daemon.listen(folder.file('daemon.sock'))
  await once(daemon, 'listening')
  const args = [
    '--dev',
    '--a',
    '127.0.0.1:0',
    '--stun=false',
    '--verify-clients',
    '--socket',
    folder.file('daemon.sock'),
  ]
  await using relay = await startServing(...args)
  const known = node(relay.region)
  await known.next('connected')
  await node(relay.region).next('disconnected')
  expect(asked[0]).toBe(`/localapi/v0/whois?addr=${formatNodeKey(known.key)}`)
  closeAll()
  daemon.closeAllConnections()
  daemon.close()
})

test('S19, threat 29: with --verify-clients and no daemon nobody comes in', async () => {
  using folder = scratch()
  await using relay = await startServing(
    '--dev',
    '--a',
    '127.0.0.1:0',
    '--stun=false',
    '--verify-clients',
    '--socket',
    folder.file('none.sock'),
  )
  expect((await node(relay.region).next('disconnected')).error.code).toBe('ERR_DERP_CLOSED')
  closeAll()
})
