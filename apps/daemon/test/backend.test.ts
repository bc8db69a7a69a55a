import { memoryStore, NetError, NODE_KEY, type StateStore } from '@mesh/net'
import { describe, expect, test } from 'vitest'
import { Backend, type NodeRequest, type Notify } from '../src/backend.ts'
import { readPrefs } from '../src/prefs.ts'
import { FakeNode } from './fake-node.ts'

const URL = 'http://127.0.0.1:1'

function setUp(store: StateStore = memoryStore()) {
  const nodes: FakeNode[] = []
  const requests: NodeRequest[] = []
  const lines: string[] = []
  const control = { ended: [] as object[], isAway: false }
  const backend = new Backend({
    store,
    hostname: 'machine',
    tun: false,
    log: (_level, text) => lines.push(text),
    endLogin: (login) => {
      control.ended.push({ ...login, isClosed: nodes.every(({ closed }) => closed) })
      return control.isAway ? Promise.reject(new Error('The control server is away.')) : Promise.resolve()
    },
    startNode: (request) => {
      requests.push(request)
      const node = new FakeNode()
      nodes.push(node)
      return node
    },
  })
  const seen: Notify[] = []
  backend.subscribe((notify) => seen.push(notify))
  return { backend, store, nodes, requests, lines, seen, control }
}

async function settled(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 5))
}

describe('the daemon', () => {
  test('asks for a login until it has one, then runs and remembers the wish', async () => {
    const { backend, store, nodes, requests, seen } = setUp()
    expect(backend.state()).toBe('NeedsLogin')
    await backend.start({ AuthKey: 'secret', UpdatePrefs: { ControlURL: URL } })
    expect(requests[0]).toMatchObject({
      controlUrl: URL,
      authKey: 'secret',
      hostname: 'machine',
      keepTrying: false,
    })
    expect(readPrefs(store).WantRunning).toBe(false)
    nodes[0]?.run()
    await settled()
    expect(backend.state()).toBe('Running')
    expect(readPrefs(store)).toMatchObject({ WantRunning: true, ControlURL: URL })
    expect(seen.flatMap(({ State = [] }) => State)).toEqual([2, 5, 6])
    expect(seen.filter(({ LoginFinished }) => LoginFinished)).toHaveLength(1)
  })

  test('says that its settings are damaged instead of staying down without a word', () => {
    expect(setUp(memoryStore({ '_daemon-prefs': '{"WantRun' })).lines.join()).toMatch(/settings .* damaged/)
    expect(setUp(memoryStore({ '_daemon-prefs': '{"WantRunning":false}' })).lines).toEqual([])
  })

  test('logs a failure once, though the node tells of it twice', async () => {
    const { backend, nodes, lines } = setUp()
    await backend.start({ UpdatePrefs: { ControlURL: URL } })
    nodes[0]?.tell({ kind: 'trouble', message: 'No way.', code: 'ERR_CONTROL_UNREACHABLE' })
    nodes[0]?.settle.reject(new NetError('ERR_CONTROL_UNREACHABLE', 'No way.'))
    await settled()
    expect(lines.filter((line) => line === 'No way.')).toHaveLength(1)
  })

  test('a logout ends with the key gone, also when the last map cannot be removed', async () => {
    const store = memoryStore({ [NODE_KEY]: 'privkey:00' })
    const mapCache = { read: () => undefined, write: () => Promise.reject(new Error('read-only')) }
    const options = {
      hostname: 'm',
      tun: false,
      log: () => {},
      endLogin: () => Promise.resolve(),
      startNode: () => new FakeNode(),
    }
    await expect(new Backend({ store, mapCache, ...options }).logout()).rejects.toThrow('read-only')
    expect(store.read(NODE_KEY)).toBeUndefined()
  })

  test('gives a running node its new name without a restart', async () => {
    const { backend, nodes, seen } = setUp()
    await backend.start({ UpdatePrefs: { ControlURL: URL } })
    nodes[0]?.run()
    await settled()
    await backend.editPrefs({ Hostname: 'zed', HostnameSet: true })
    expect([nodes.length, nodes[0]?.hostname, nodes[0]?.closed]).toEqual([1, 'zed', false])
    expect(seen.at(-1)?.Prefs).toMatchObject({ Hostname: 'zed' })
    await backend.editPrefs({ Hostname: '', HostnameSet: true })
    expect(nodes[0]?.hostname).toBe('machine')
    await backend.editPrefs({ RelayServerPort: 7777, RelayServerPortSet: true })
    expect(nodes[0]?.relayServerPort).toBe(7777)
    await backend.editPrefs({ RelayServerPort: 70_000, RelayServerPortSet: true })
    expect(nodes[0]?.relayServerPort).toBe(7777)
    await backend.editPrefs({ RelayServerPort: null, RelayServerPortSet: true })
    expect(nodes[0]?.relayServerPort).toBeUndefined()
  })

  test('a login that is under way is not begun anew, and its key not lost', async () => {
    const { backend, requests, seen, nodes } = setUp()
    await backend.start({ AuthKey: 'secret', UpdatePrefs: { ControlURL: URL } })
    await backend.login()
    expect(requests).toHaveLength(1)
    nodes[0]?.tell({ kind: 'auth-url', url: 'http://visit' })
    await backend.login()
    expect(seen.flatMap(({ BrowseToURL = [] }) => BrowseToURL)).toEqual(['http://visit', 'http://visit'])
  })

  test('a watcher that asks for nothing to begin with is told nothing before something happens', async () => {
    const { backend } = setUp()
    const seen: Notify[] = []
    backend.subscribe((notify) => seen.push(notify), { state: false, prefs: false })
    expect(seen).toEqual([])
    await backend.start({ UpdatePrefs: { ControlURL: URL } })
    expect(seen.map(({ State }) => State)).toEqual([5])
  })

  test('tells a refused login in one message, keeps nothing of it, and says no secret', async () => {
    const { backend, store, nodes, lines, seen } = setUp()
    await backend.start({ AuthKey: 'secret', UpdatePrefs: { ControlURL: URL } })
    nodes[0]?.settle.reject(
      new NetError('ERR_LOGIN_REFUSED', 'The control server refused the login: invalid authkey.'),
    )
    await settled()
    expect(backend.state()).toBe('NeedsLogin')
    expect(seen.find((notify) => notify.ErrMessage)?.ErrMessage).toContain('invalid authkey')
    expect(readPrefs(store)).toMatchObject({ WantRunning: false, ControlURL: '' })
    expect(nodes[0]?.closed).toBe(true)
    expect(lines.join('\n')).not.toContain('secret')
  })

  test('goes on after a restart without a key, and keeps trying', async () => {
    const store = memoryStore({ [NODE_KEY]: 'privkey:00' })
    const first = setUp(store)
    await first.backend.start({ UpdatePrefs: { ControlURL: URL } })
    first.nodes[0]?.run()
    await settled()
    const second = setUp(store)
    await second.backend.resume()
    expect(second.requests).toEqual([{ controlUrl: URL, hostname: 'machine', keepTrying: true }])
  })

  test('asks for a login while a person must visit a page, and runs once they did', async () => {
    const { backend, nodes, seen } = setUp()
    await backend.start({ UpdatePrefs: { ControlURL: URL } })
    nodes[0]?.tell({ kind: 'auth-url', url: 'http://visit' })
    expect(backend.status()).toMatchObject({ BackendState: 'NeedsLogin', AuthURL: 'http://visit' })
    nodes[0]?.run()
    await settled()
    expect(backend.status()).toMatchObject({ BackendState: 'Running', AuthURL: '' })
    expect(seen.flatMap(({ State, BrowseToURL }) => State ?? BrowseToURL ?? [])).toEqual([
      2,
      5,
      2,
      'http://visit',
      6,
    ])
  })

  test('does not try again what a person must mend, and says what it is', async () => {
    const store = memoryStore({
      [NODE_KEY]: 'privkey:00',
      '_daemon-prefs': '{"WantRunning":true,"ControlURL":"x"}',
    })
    const { backend, nodes } = setUp(store)
    await backend.resume()
    nodes[0]?.settle.reject(new NetError('ERR_LOGIN_NEEDED', 'The key of this node has expired.'))
    await settled()
    expect(nodes).toHaveLength(1)
    expect(backend.status()).toMatchObject({
      BackendState: 'NeedsLogin',
      Health: ['The key of this node has expired.'],
    })
  })

  test('goes back to what ran before when an attempt with other wishes does not reach control', async () => {
    const store = memoryStore({
      [NODE_KEY]: 'privkey:00',
      '_daemon-prefs': '{"WantRunning":true,"ControlURL":"x"}',
    })
    const { backend, nodes, requests } = setUp(store)
    await backend.resume()
    await backend.start({ UpdatePrefs: { ControlURL: 'http://nowhere' } })
    nodes[1]?.settle.reject(new NetError('ERR_CONTROL_UNREACHABLE', 'Nobody is there.'))
    await settled()
    expect(requests.map(({ controlUrl, keepTrying }) => [controlUrl, keepTrying])).toEqual([
      ['x', true],
      ['http://nowhere', false],
      ['x', true],
    ])
  })

  test('goes down and up by a masked change, and leaves what the mask does not name', async () => {
    const { backend, nodes } = setUp(memoryStore({ [NODE_KEY]: 'privkey:00' }))
    await backend.start({ UpdatePrefs: { ControlURL: URL } })
    nodes[0]?.run()
    await settled()
    await backend.editPrefs({ WantRunning: false, WantRunningSet: true, ControlURL: 'http://evil' })
    expect([backend.state(), nodes[0]?.closed, backend.prefs.ControlURL]).toEqual(['Stopped', true, URL])
    await backend.editPrefs({ WantRunning: true, WantRunningSet: true })
    expect(nodes).toHaveLength(2)
  })

  test('a logout leaves the mesh, ends the login at control and forgets it', async () => {
    const { backend, store, nodes, control } = setUp(memoryStore({ [NODE_KEY]: 'privkey:00' }))
    await backend.start({ UpdatePrefs: { ControlURL: URL } })
    nodes[0]?.run()
    await settled()
    await backend.logout()
    expect(control.ended).toEqual([{ controlUrl: URL, hostname: 'machine', isClosed: true }])
    expect([store.read(NODE_KEY), backend.state()]).toEqual([undefined, 'NeedsLogin'])
    await backend.logout()
    expect(control.ended).toHaveLength(1)
  })

  test('a logout of a machine that is down ends its login too, and not one that it only wished for', async () => {
    const { backend, nodes, control } = setUp(memoryStore({ [NODE_KEY]: 'privkey:00' }))
    await backend.start({ UpdatePrefs: { ControlURL: URL } })
    nodes[0]?.run()
    await settled()
    await backend.editPrefs({ WantRunning: false, WantRunningSet: true })
    await backend.start({ UpdatePrefs: { ControlURL: 'http://other' } })
    await backend.logout()
    expect(control.ended).toEqual([{ controlUrl: URL, hostname: 'machine', isClosed: true }])
  })

  test('a logout that control was not told of is one here all the same, and says so', async () => {
    const { backend, store, nodes, control } = setUp(memoryStore({ [NODE_KEY]: 'privkey:00' }))
    await backend.start({ UpdatePrefs: { ControlURL: URL } })
    nodes[0]?.run()
    await settled()
    control.isAway = true
    await expect(backend.logout()).rejects.toThrow(
      'This machine has forgotten its login. The control server is away.',
    )
    expect([store.read(NODE_KEY), backend.state(), readPrefs(store).LoggedOut]).toEqual([
      undefined,
      'NeedsLogin',
      true,
    ])
  })
})
