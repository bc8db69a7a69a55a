// The client over real sockets on loopback, against a small server that speaks the real transport.
import { formatMachineKey, generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { afterEach, describe, expect, test, vi } from 'vitest'
import type { MapRequest, MapResponse } from '@mesh/wire/control'
import type { ControlEvent } from '../../src/index.ts'
import { type ConnectControlOptions, type ControlConnection, connectControl } from '../../src/node/index.ts'
import { snapshotFor, startTestControl, type TestControl, type TestControlOptions } from './test-control.ts'

const open: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const thing of open.splice(0).toReversed()) await thing.close()
})

async function serve(options: TestControlOptions = {}): Promise<TestControl> {
  const server = await startTestControl(options)
  open.push(server)
  return server
}

interface Client {
  readonly connection: ControlConnection
  readonly events: ControlEvent[]
  readonly pins: Uint8Array[]
  next<E extends ControlEvent['event']>(event: E): Promise<Extract<ControlEvent, { event: E }>>
}

function join(serverUrl: string, options: Partial<ConnectControlOptions> = {}): Client {
  const events: ControlEvent[] = []
  const pins: Uint8Array[] = []
  const waiting = new Set<(event: ControlEvent) => void>()
  const connection = connectControl({
    serverUrl,
    machineKey: generatePrivateKey(systemRandom),
    nodeKey: generatePrivateKey(systemRandom),
    discoKey: `discokey:${'17'.repeat(32)}`,
    hostinfo: { OS: 'linux', Hostname: 'a' },
    authKey: 'tskey-auth-good',
    onServerKey: (key) => pins.push(key),
    onEvent: (event) => {
      events.push(event)
      for (const tell of waiting) tell(event)
    },
    ...options,
  })
  open.push(connection)
  const next: Client['next'] = (wanted) =>
    new Promise((resolve) => {
      const tell = (event: ControlEvent): void => {
        if (event.event !== wanted) return
        waiting.delete(tell)
        resolve(event as never)
      }
      waiting.add(tell)
    })
  return { connection, events, pins, next }
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !condition(); i += 1) await new Promise((resolve) => setTimeout(resolve, 10))
  expect(condition()).toBe(true)
}

describe('the way in', () => {
  test('control 13: a node with an auth key logs in and gets its first map', async () => {
    const server = await serve()
    const node = join(server.url)
    const { map, changes } = await node.next('map')
    expect(map.self.name).toBe('a.mesh.example.')
    expect(map.peers.map((peer) => peer.id)).toEqual([8])
    expect(changes.added).toEqual([8])
    expect(server.registers[0]?.Auth?.AuthKey).toBe('tskey-auth-good')
    expect(server.maps[0]).toMatchObject({
      Stream: true,
      Compress: 'zstd',
      DiscoKey: `discokey:${'17'.repeat(32)}`,
    })
  })

  test('control 6: an early payload cut over three records does not disturb', async () => {
    const server = await serve({ earlyPayload: true })
    const node = join(server.url)
    await node.next('map')
    expect(node.connection.map?.peers).toHaveLength(1)
  })

  test('the server learns the machine key from the handshake alone', async () => {
    const machineKey = generatePrivateKey(systemRandom)
    const server = await serve()
    const node = join(server.url, { machineKey })
    await node.next('map')
    expect(server.machineKeys.map(formatMachineKey)).toEqual([formatMachineKey(publicKeyOf(machineKey))])
  })

  test('control 16: a person approves while the followup is held', async () => {
    let approve = (): void => undefined
    const approved = new Promise<void>((resolve) => {
      approve = resolve
    })
    const server: TestControl = await serve({
      onRegister: async (request) => {
        if (request.Followup === '') return { AuthURL: `${server.url}/register/abc` }
        await approved
        return {}
      },
    })
    const node = join(server.url, { authKey: undefined })
    expect((await node.next('auth-url')).url).toBe(`${server.url}/register/abc`)
    await until(() => server.registers.length === 2)
    expect(server.registers[1]?.Followup).toBe(`${server.url}/register/abc`)
    approve()
    expect((await node.next('registered')).login.LoginName).toBe('ann@example.org')
  })

  test('control 14: a refused auth key stops the client with the sentence of the server', async () => {
    const server = await serve({ onRegister: () => ({ Error: 'authkey expired' }) })
    const node = join(server.url)
    const { error, retryIn } = await node.next('trouble')
    expect(error.code).toBe('ERR_CONTROL_REFUSED')
    expect(error.message).toBe('authkey expired')
    expect(retryIn).toBe(Infinity)
    expect(node.connection.stopped).toBe(true)
  })

  test('control 25: an expired node key is renewed once, and the new one is handed to the owner', async () => {
    let answers = 0
    const server = await serve({ onRegister: () => ({ NodeKeyExpired: (answers += 1) === 1 }) })
    const nodeKey = generatePrivateKey(systemRandom)
    const node = join(server.url, { nodeKey })
    const event = await node.next('registered')
    expect(event.nodeKey).not.toEqual(nodeKey)
    expect(event.oldNodeKey).toEqual(nodeKey)
    expect(server.registers[1]?.OldNodeKey).toBe(server.registers[0]?.NodeKey)
  })
})

test('a client dials the addresses that its server told of itself, the best first, before its name', async () => {
  const Candidates = [
    { IP: '127.0.0.1', Priority: 1 },
    { IP: '127.0.0.3', Priority: 3 },
    { IP: '127.0.0.2', Priority: 2 },
  ]
  const onMap = (request: MapRequest): MapResponse => ({
    ...snapshotFor(request),
    ControlDialPlan: { Candidates },
  })
  const named = await serve({ onMap })
  // Nobody listens at .3; the server with the same key at .2 is the next best.
  const { port, privateKey } = named
  const planned = await serve({ host: '127.0.0.2', port, privateKey })
  const node = join(`http://localhost:${port}`)
  await node.next('map')
  expect([named.maps.length > 0, planned.maps.length]).toEqual([true, 0])
  named.cut()
  await until(() => planned.maps.length > 0)
  await planned.close()
  const before = named.maps.length
  await until(() => named.maps.length > before)
})

test('a client that is told to connect anew follows its map again at once', async () => {
  const server = await serve()
  const node = join(server.url)
  await node.next('following')
  const lost = node.next('trouble')
  node.connection.reconnect()
  expect((await lost).error.code).toBe('ERR_CONTROL_LOST')
  const { following } = await node.next('following')
  expect(following).toBe(true)
})

describe('whom the client trusts', () => {
  test('threat 30: the key is told at first contact, and a server that shows another is refused', async () => {
    const first = await serve()
    const before = join(first.url)
    await before.next('map')
    expect(before.pins).toEqual([publicKeyOf(first.privateKey)])
    const impostor = await serve()
    const node = join(impostor.url, { pinnedKey: before.pins[0] })
    const { error } = await node.next('trouble')
    expect(error.code).toBe('ERR_CONTROL_KEY_CHANGED')
    expect(error.message).toContain(impostor.url)
    expect(node.connection.stopped).toBe(true)
    expect(impostor.registers).toEqual([])
  })

  test('nothing listening gives one sentence and another try', async () => {
    const server = await serve()
    await server.close()
    const node = join(server.url)
    const { error, retryIn } = await node.next('trouble')
    expect(error.code).toBe('ERR_CONTROL_UNREACHABLE')
    expect(error.message).toBe(`cannot reach the control server at ${server.url}: nothing listens there`)
    expect(retryIn).toBeLessThan(1000)
  })

  test('an https:// address of a server without TLS gives one sentence', async () => {
    const url = (await serve()).url.replace('http:', 'https:')
    const { error } = await join(url).next('trouble')
    expect(error.message).toBe(
      `cannot reach the control server at ${url}: it speaks no TLS, which https:// asks for`,
    )
  })

  test('an address that is none is the mistake of the caller', () => {
    expect(() => join('ftp://example.org')).toThrow(TypeError)
    expect(() => join('example.org')).toThrow('not a http:// or https:// address')
  })
})

describe('the map stream', () => {
  test('control 33: deltas change the map in place', async () => {
    const server = await serve()
    const node = join(server.url)
    await node.next('map')
    const next = node.next('map')
    server.send({ PeersChangedPatch: [{ NodeID: 8, Endpoints: ['203.0.113.5:41641'], Online: false }] })
    const { map, changes } = await next
    expect(map.peers[0]?.endpoints[0]?.port).toBe(41641)
    expect(changes).toMatchObject({ changed: [8], paths: true, wireguard: false })
  })

  test('a clock that is set while the map is followed ends no key', async () => {
    const KeyExpiry = new Date(Date.now() + 3_600_000).toISOString()
    const server = await serve({
      onMap: (request) => {
        const { Node, Peers, ...rest } = snapshotFor(request)
        const ControlTime = new Date().toISOString()
        return { ...rest, ControlTime, Node: { ...Node!, KeyExpiry }, Peers: [{ ...Peers![0]!, KeyExpiry }] }
      },
    })
    const node = join(server.url)
    await node.next('map')
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 365 * 86_400_000)
    const next = node.next('map')
    server.send({ PeersChangedPatch: [{ NodeID: 8, Endpoints: ['203.0.113.5:41641'], Online: false }] })
    const { map } = await next.finally(() => clock.mockRestore())
    expect([map.self.expired, map.peers[0]?.expired]).toEqual([false, false])
  })

  test('a keep-alive is no news', async () => {
    const server = await serve()
    const node = join(server.url)
    await node.next('following')
    const before = node.events.length
    server.keepAlive()
    server.send({ PeersRemoved: [8] })
    await node.next('map')
    expect(node.events).toHaveLength(before + 1)
    expect(node.connection.map?.peers).toEqual([])
  })

  test('control 41: the connection comes back, and the same network is no change', async () => {
    const server = await serve()
    const node = join(server.url)
    await node.next('following')
    server.cut()
    expect((await node.next('trouble')).error.code).toBe('ERR_CONTROL_LOST')
    const { changes } = await node.next('map')
    expect(changes.wireguard || changes.paths || changes.filter || changes.relays).toBe(false)
    expect(server.registers).toHaveLength(1)
  })

  test('the server may restart on the same port with the same key', async () => {
    const first = await serve()
    const node = join(first.url)
    await node.next('following')
    await first.close()
    await node.next('trouble')
    const again = await serve({ port: first.port, privateKey: first.privateKey })
    await node.next('map')
    expect(again.maps.some((request) => request.Stream)).toBe(true)
  })

  test('control 42: a node the server forgot logs in again', async () => {
    let asked = 0
    const server = await serve({ onMap: (request) => ((asked += 1) === 1 ? 404 : snapshotFor(request)) })
    const node = join(server.url)
    expect((await node.next('trouble')).error.code).toBe('ERR_CONTROL_UNKNOWN_NODE')
    await node.next('map')
    expect(server.registers).toHaveLength(2)
  })
})

describe('what the node tells', () => {
  test('control 31: endpoints and home relay go out in a lite update beside the stream', async () => {
    const server = await serve()
    const node = join(server.url)
    await node.next('following')
    node.connection.report({
      endpoints: [{ endpoint: '203.0.113.9:4242', type: 2 }],
      netInfo: { PreferredDERP: 900, WorkingUDP: true },
    })
    await until(() => server.maps.some((request) => request.Endpoints !== undefined))
    const lite = server.maps.find((request) => request.Endpoints !== undefined)
    expect(lite).toMatchObject({ OmitPeers: true, Endpoints: ['203.0.113.9:4242'], EndpointTypes: [2] })
    expect(lite?.Stream).toBeUndefined()
    expect(lite?.Hostinfo?.NetInfo?.PreferredDERP).toBe(900)
    expect(server.maps.filter((request) => request.Stream)).toHaveLength(1)
  })

  test('control 58: a HEAD ping is answered outside, a c2n echo inside', async () => {
    const server = await serve()
    const node = join(server.url)
    await node.next('following')
    server.send({ PingRequest: { URL: `${server.url}/machine/ping-response?id=1` } })
    await until(() => server.heads.length === 1)
    expect(server.heads).toEqual(['/machine/ping-response?id=1'])
    const payload = Buffer.from('POST /echo HTTP/1.1\r\nHost: x\r\n\r\nhello').toString('base64')
    server.send({ PingRequest: { URL: 'https://unused/machine/c2n/1', Types: 'c2n', Payload: payload } })
    await until(() => server.posts.length === 1)
    expect(server.posts[0]?.path).toBe('/machine/c2n/1')
    expect(Buffer.from(server.posts[0]!.body).toString()).toMatch(
      /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nhello$/,
    )
  })

  test('control 23: logging out sends an expiry long past and no auth key', async () => {
    const server = await serve()
    const node = join(server.url)
    await node.next('following')
    await node.connection.logout()
    const last = server.registers.at(-1)
    expect(last?.Expiry).toBe('1970-01-01T00:02:03Z')
    expect(last?.Auth).toBeUndefined()
    expect(node.connection.stopped).toBe(true)
  })

  test('asked to log out twice at once, it does so once, and both hear of it', async () => {
    const server = await serve()
    const node = join(server.url)
    await node.next('following')
    const before = server.registers.length
    await Promise.all([node.connection.logout(), node.connection.logout()])
    expect(server.registers).toHaveLength(before + 1)
  })

  test('closing leaves nothing open and may be done twice', async () => {
    const server = await serve()
    const node = join(server.url)
    await node.next('following')
    await Promise.all([node.connection.close(), node.connection.close()])
    const before = node.events.length
    server.send({ PeersRemoved: [8] })
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(node.events).toHaveLength(before)
    await expect(node.connection.logout()).rejects.toMatchObject({ code: 'ERR_CONTROL_CLOSED' })
  })
})
