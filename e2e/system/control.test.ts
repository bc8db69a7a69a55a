// Our client and our control server over real sockets on loopback: log in, see the others, hear of changes, come
// back. Time is real here, so what takes long in it is waited for once.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as joinPath } from 'node:path'
import type { ControlEvent } from '@mesh/control-client'
import { type ConnectControlOptions, type ControlConnection, connectControl } from '@mesh/control-client/node'
import { startControl } from '@mesh/control-server/contract'
import { type ControlListener, type ControlOptions, openSqliteStore } from '@mesh/control-server/node'
import { generatePrivateKey, publicKeyOf } from '@mesh/keys'
import { type MapNode, nodeByName } from '@mesh/netmap'
import { systemRandom } from '@mesh/sansio/node'
import { formatEndpoint, formatPrefix } from '@mesh/wire/ip'
import { afterEach, describe, expect, test } from 'vitest'

const privateKey = generatePrivateKey(systemRandom)
const open: { close(): Promise<void> | void }[] = []

afterEach(async () => {
  for (const thing of open.splice(0).toReversed()) await thing.close()
})

async function serve(change: Partial<ControlOptions> = {}): Promise<ControlListener> {
  const control = await startControl({
    privateKey,
    ...change,
  })
  open.push(control)
  return control
}

async function authKey(control: ControlListener, reusable = true): Promise<string> {
  const users = await control.admin({ verb: 'users list' })
  if (users.length === 0) await control.admin({ verb: 'users create', name: 'ann' })
  return (await control.admin({ verb: 'preauthkeys create', user: 'ann', reusable })).key
}

/** A node that only talks to control. */
class TestNode {
  readonly options: ConnectControlOptions
  readonly connection: ControlConnection
  readonly events: ControlEvent[] = []
  serverKey: Uint8Array | undefined

  constructor(serverUrl: string, hostname: string, options: Partial<ConnectControlOptions> = {}) {
    this.options = {
      serverUrl,
      machineKey: generatePrivateKey(systemRandom),
      nodeKey: generatePrivateKey(systemRandom),
      discoKey: `discokey:${Buffer.from(publicKeyOf(generatePrivateKey(systemRandom))).toString('hex')}`,
      hostinfo: { OS: 'linux', Hostname: hostname },
      ...options,
      onServerKey: (key) => {
        this.serverKey = key
      },
      onEvent: (event) => this.events.push(event),
    }
    this.connection = connectControl(this.options)
    open.push(this.connection)
  }

  /** Waits until the map says so; the map is there then. */
  async sees(
    what: string,
    condition: (peer: (name: string) => MapNode | undefined) => boolean,
  ): Promise<void> {
    await until(`${this.options.hostinfo.Hostname} sees ${what}`, () => {
      const { map } = this.connection
      return map !== undefined && condition((name) => nodeByName(map, name))
    })
  }

  /** Waits for an event of a kind, from the first on. */
  async event<E extends ControlEvent['event']>(kind: E): Promise<Extract<ControlEvent, { event: E }>> {
    const find = () => this.events.find((event) => event.event === kind)
    await until(`${this.options.hostinfo.Hostname} is told ${kind}`, () => find() !== undefined)
    return find() as Extract<ControlEvent, { event: E }>
  }

  get addresses(): string[] {
    return this.connection.map?.self.addresses.map(formatPrefix) ?? []
  }
}

async function until(what: string, condition: () => boolean, limit = 15_000): Promise<void> {
  const end = performance.now() + limit
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${limit} ms in vain until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

async function twoNodes(control: ControlListener): Promise<{ a: TestNode; b: TestNode }> {
  const key = await authKey(control)
  const a = new TestNode(control.url, 'a', { authKey: key })
  await a.sees('itself', (peer) => peer('a') !== undefined)
  const b = new TestNode(control.url, 'b', { authKey: key })
  await a.sees('b', (peer) => peer('b')?.online === true)
  await b.sees('a', (peer) => peer('a')?.online === true)
  return { a, b }
}

describe('two nodes', () => {
  test('control 13: log in with an auth key and find each other by name', async () => {
    const control = await serve()
    const { a, b } = await twoNodes(control)
    expect(a.addresses).toHaveLength(2)
    expect(nodeByName(b.connection.map!, 'a.mesh.internal')?.addresses.map(formatPrefix)).toEqual(a.addresses)
    expect(a.connection.map?.self.source.MachineAuthorized).toBe(true)
    expect(a.connection.map?.packetFilter.length).toBeGreaterThan(0)
    expect(a.connection.map?.derpMap?.Regions).toBeDefined()
    expect(nodeByName(b.connection.map!, 'a')?.discoKey).toBeDefined()
  })

  test('control 33: hear of new endpoints and a new home relay as a change of paths alone', async () => {
    const control = await serve()
    const { a, b } = await twoNodes(control)
    const before = b.events.length
    a.connection.report({
      endpoints: [{ endpoint: '203.0.113.5:41641', type: 2 }],
      netInfo: { PreferredDERP: 900, WorkingUDP: true },
    })
    await b.sees(
      "a's endpoint",
      (peer) => peer('a')?.endpoints.map(formatEndpoint)[0] === '203.0.113.5:41641',
    )
    await b.sees("a's home relay", (peer) => peer('a')?.homeRelay === 900)
    const maps = b.events.slice(before).flatMap((event) => (event.event === 'map' ? [event.changes] : []))
    expect(maps.some((changes) => changes.paths)).toBe(true)
    for (const changes of maps)
      expect(changes).toMatchObject({ wireguard: false, filter: false, dns: false, removed: [] })
  })

  test('control 35: one that reconnects at once was never offline to the other', async () => {
    const control = await serve()
    const { a, b } = await twoNodes(control)
    const before = b.events.length
    await a.connection.close()
    const again = new TestNode(control.url, 'a', { ...a.options, authKey: undefined })
    await again.sees('b', (peer) => peer('b') !== undefined)
    await new Promise((resolve) => setTimeout(resolve, 300))
    const offline = b.events.slice(before).filter((event) => {
      return event.event === 'map' && nodeByName(event.map, 'a')?.online === false
    })
    expect(offline).toEqual([])
  })

  test('control 35: one that stays away is offline after the grace period', async () => {
    const control = await serve()
    const { a, b } = await twoNodes(control)
    await a.connection.close()
    await b.sees('a offline', (peer) => peer('a')?.online === false)
    expect(nodeByName(b.connection.map!, 'a')?.lastSeen).toBeGreaterThan(Date.now() - 60_000)
  }, 30_000)

  test('control 36: one that is deleted is gone for the other, and must log in again', async () => {
    const control = await serve()
    const { a, b } = await twoNodes(control)
    await control.admin({ verb: 'nodes delete', node: 'b' })
    await a.sees('no b', (peer) => peer('b') === undefined)
    expect(a.connection.map?.peers).toEqual([])
    await until('b is in again', () => b.events.filter((event) => event.event === 'registered').length === 2)
    await a.sees('b', (peer) => peer('b') !== undefined)
  })

  test('control 23: one that logs out is expired for the other', async () => {
    const control = await serve()
    const { a, b } = await twoNodes(control)
    await b.connection.logout()
    await a.sees('b expired or gone', (peer) => peer('b')?.expired ?? true)
    expect(b.connection.stopped).toBe(true)
  })
})

describe('the way in', () => {
  test('control 14: a wrong auth key is refused with a sentence', async () => {
    const control = await serve()
    const node = new TestNode(control.url, 'a', { authKey: 'hskey-auth-000000000000-wrong' })
    const { error, retryIn } = await node.event('trouble')
    expect(error.code).toBe('ERR_CONTROL_REFUSED')
    expect(error.message).toMatch(/auth ?key/i)
    expect(retryIn).toBe(Infinity)
  })

  test('a single-use key lets one machine in, and that machine again', async () => {
    const control = await serve()
    const key = await authKey(control, false)
    const a = new TestNode(control.url, 'a', { authKey: key })
    await a.event('map')
    const b = new TestNode(control.url, 'b', { authKey: key })
    expect((await b.event('trouble')).error.code).toBe('ERR_CONTROL_REFUSED')
    await a.connection.close()
    const again = new TestNode(control.url, 'a', a.options)
    await again.sees('itself', (peer) => peer('a') !== undefined)
    expect(again.addresses).toEqual(a.addresses)
  })

  test('control 16: without a key a person approves, and the node is in', async () => {
    const control = await serve()
    await control.admin({ verb: 'users create', name: 'ann' })
    const node = new TestNode(control.url, 'a')
    const { url } = await node.event('auth-url')
    expect(url).toMatch(new RegExp(`^${control.url}/register/`))
    await control.admin({ verb: 'nodes register', key: url.slice(url.lastIndexOf('/') + 1), user: 'ann' })
    expect((await node.event('registered')).login.LoginName).toContain('ann')
    await node.sees('itself', (peer) => peer('a') !== undefined)
  })

  test('control 26: a node that an admin expires is told to log in again', async () => {
    const control = await serve()
    const { a } = await twoNodes(control)
    await control.admin({ verb: 'nodes expire', node: 'a' })
    const { error } = await a.event('trouble')
    expect(error.code).toBe('ERR_CONTROL_KEY_EXPIRED')
  })
})

describe('when control goes away', () => {
  test('control 41: nodes come back to a restarted server with the same addresses, and nothing changes', async () => {
    const folder = mkdtempSync(joinPath(tmpdir(), 'mesh-control-'))
    open.push({ close: () => rmSync(folder, { recursive: true }) })
    const file = joinPath(folder, 'control.sqlite')
    const store = await openSqliteStore(file)
    const first = await serve({ store })
    const { a, b } = await twoNodes(first)
    const { addresses } = a
    await first.close()
    await store.close()
    await a.event('trouble')
    expect(a.connection.map?.peers).toHaveLength(1)
    const before = b.events.length
    const reopened = await openSqliteStore(file)
    open.unshift({ close: () => reopened.close() })
    await serve({ store: reopened, port: Number(new URL(first.url).port) })
    const back = (node: TestNode) =>
      node.events.findLast((event) => event.event === 'following')?.following === true
    await until('both are back', () => back(a) && back(b))
    await b.sees('a online', (peer) => peer('a')?.online === true)
    expect(a.addresses).toEqual(addresses)
    const maps = b.events.slice(before).flatMap((event) => (event.event === 'map' ? [event.changes] : []))
    expect(maps.length).toBeGreaterThan(0)
    for (const changes of maps)
      expect(changes).toMatchObject({ wireguard: false, relays: false, filter: false })
  }, 60_000)

  test('threat 30: a server that shows another key than the pinned one gets nothing', async () => {
    const control = await serve()
    const a = new TestNode(control.url, 'a', { authKey: await authKey(control) })
    await a.event('map')
    await a.connection.close()
    const impostor = await serve({ privateKey: generatePrivateKey(systemRandom) })
    const again = new TestNode(impostor.url, 'a', {
      ...a.options,
      serverUrl: impostor.url,
      pinnedKey: a.serverKey,
    })
    expect((await again.event('trouble')).error.code).toBe('ERR_CONTROL_KEY_CHANGED')
    expect(await impostor.admin({ verb: 'nodes list' })).toEqual([])
  })
})
