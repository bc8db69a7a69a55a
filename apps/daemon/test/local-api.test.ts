import { mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request, type Server } from 'node:http'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { memoryStore } from '@mesh/net'
import { CAPABILITY_VERSION } from '@mesh/wire/control'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Backend } from '../src/backend.ts'
import { setAttributes } from '../src/commands/attributes.ts'
import { createLocalApi } from '../src/local-api.ts'
import { LocalClient } from '../src/local-client.ts'
import { listenOnSocket } from '../src/listen-socket.ts'
import { FakeNode } from './fake-node.ts'

let directory = ''
let path = ''
let server: Server
let backend: Backend
let node: FakeNode

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'mesh-api-'))
  path = join(directory, 's')
  node = new FakeNode()
  backend = new Backend({
    store: memoryStore(),
    hostname: 'm',
    tun: false,
    log: () => {},
    endLogin: () => Promise.resolve(),
    startNode: () => node,
  })
  server = createLocalApi(backend)
  await listenOnSocket(server, path)
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
  rmSync(directory, { recursive: true, force: true })
})

function ask(method: string, route: string, headers: Record<string, string> = {}, body?: string) {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; text: string }>(
    (resolve, reject) => {
      const call = request({
        socketPath: path,
        method,
        path: route,
        headers: { Host: 'local-tailscaled.sock', ...headers },
      })
      call.on('response', (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text }),
        )
      })
      call.on('error', reject)
      call.end(body)
    },
  )
}

describe('the local API', () => {
  test('answers the status with its version and capability in the headers', async () => {
    const { status, headers, text } = await ask('GET', '/localapi/v0/status')
    expect(status).toBe(200)
    expect(headers['tailscale-cap']).toBe(String(CAPABILITY_VERSION))
    expect(headers['tailscale-version']).toMatch(/^\d+\.\d+\.\d+/)
    expect(JSON.parse(text)).toMatchObject({ BackendState: 'NeedsLogin', TUN: false, Peer: null })
  })

  test.each([
    ['a foreign host name', { Host: 'evil.example' }],
    ['an Origin', { Origin: 'http://evil.example' }],
    ['a Referer', { Referer: 'http://evil.example/' }],
    ['the marks of a browser', { 'Sec-Fetch-Mode': 'cors' }],
  ])('threat 11: refuses a request with %s', async (_what, headers) => {
    expect((await ask('GET', '/localapi/v0/status', headers)).status).toBe(403)
  })

  test.each([
    ['GET', '/localapi/v0/nothing', 404],
    ['GET', '/localapi/v0/__proto__', 404],
    ['GET', '/other', 404],
    ['DELETE', '/localapi/v0/status', 405],
    ['GET', '/localapi/v0/constructor', 404],
    ['POST', '/localapi/v0/ping?ip=100.64.0.2&type=loud', 400],
    ['POST', '/localapi/v0/ping?ip=100.64.0.2&size=wide', 400],
    ['POST', '/localapi/v0/ping?ip=100.64.0.2&size=-1', 400],
    ['POST', '/localapi/v0/ping?ip=100.64.0.2&size=65476', 400],
    ['POST', '/localapi/v0/ping?ip=100.64.0.2&type=TSMP&size=100', 400],
    ['POST', '/localapi/v0/ping?ip=100.64.0.2&type=TSMP&size=0', 409],
    ['POST', '/localapi/v0/ping?ip=100.64.0.2&type=peerapi', 409],
    ['PUT', '/localapi/v0/profiles/', 501],
    ['GET', '/localapi/v0/whois?addr=100.64.0.9', 404],
    ['GET', '//', 404],
    ['GET', '/localapi/v0/status?%', 200],
    ['POST', '/localapi/v0/ping?ip=100.64.0.2', 409],
  ])('%s %s is answered with %d', async (method, route, status) => {
    expect((await ask(method, route)).status).toBe(status)
  })

  test('asks control in the name of the machine, and passes on what it says', async () => {
    expect((await ask('GET', '/localapi/v0/id-token?aud=vault')).status).toBe(409)
    await backend.start({ UpdatePrefs: { ControlURL: 'http://control' } })
    node.run()
    const client = new LocalClient(path)
    expect(await client.idToken('a b')).toBe('for a b')
    await setAttributes(client, ['custom:a=1', 'custom:b=true', 'custom:c=', 'custom:d=x=y', 'custom:e=1.5'])
    expect(node.asked).toEqual({
      about: 'attributes',
      update: { 'custom:a': 1, 'custom:b': true, 'custom:c': null, 'custom:d': 'x=y', 'custom:e': '1.5' },
    })
    await expect(setAttributes(client, ['tier=prod'])).rejects.toThrow(
      'Write "tier=prod" as custom:name=value.',
    )
    const refused = await ask('PATCH', '/localapi/v0/alpha-set-device-attrs', {}, '{"refused":1}')
    expect(refused).toMatchObject({ status: 400, text: 'No such name.\n' })
    expect((await ask('GET', '/localapi/v0/id-token?aud=%20')).status).toBe(400)
  })

  test.each(['nonsense', '[]', '"text"', '7'])('refuses the body %j', async (body) => {
    expect((await ask('POST', '/localapi/v0/start', {}, body)).status).toBe(400)
  })

  test('threat 26: refuses a body that is too long', async () => {
    expect((await ask('PATCH', '/localapi/v0/prefs', {}, 'x'.repeat(100_000))).status).toBe(413)
  })

  test('has an object for this machine before it has a place in any network', async () => {
    const { text } = await ask('GET', '/localapi/v0/status')
    expect((JSON.parse(text) as { Self: object }).Self).toMatchObject({ HostName: 'm', TailscaleIPs: [] })
  })

  test('shows settings that nothing acts on at their values for "not set", and refuses others', async () => {
    const { text } = await ask('GET', '/localapi/v0/prefs')
    expect(JSON.parse(text)).toMatchObject({
      Hostname: '',
      RouteAll: false,
      CorpDNS: true,
      AdvertiseTags: null,
    })
    const wish = (name: string, value: unknown, masked: boolean) =>
      masked
        ? ask('PATCH', '/localapi/v0/prefs', {}, JSON.stringify({ [name]: value, [`${name}Set`]: true }))
        : ask('POST', '/localapi/v0/check-prefs', {}, JSON.stringify({ [name]: value }))
    for (const masked of [true, false]) {
      expect(await wish('RouteAll', true, masked)).toMatchObject({
        status: 400,
        text: 'This daemon does not offer RouteAll yet.\n',
      })
      expect((await wish('RouteAll', false, masked)).status).toBe(200)
      expect((await wish('CorpDNS', false, masked)).status).toBe(200)
    }
  })

  test('explains the path to a peer, in its own words and in those of the family', async () => {
    expect((await ask('GET', '/localapi/v0/explain?ip=100.64.0.2')).status).toBe(409)
    await backend.start({ UpdatePrefs: { ControlURL: 'http://127.0.0.1:9' } })
    const { text } = await ask('GET', '/localapi/v0/explain?ip=100.64.0.2')
    expect(JSON.parse(text)).toMatchObject({ NodeName: 'b', Causes: [{ Code: 'our-udp-blocked' }] })
    const changes = await ask('GET', '/localapi/v0/debug-peer-endpoint-changes?ip=100.64.0.2')
    expect(JSON.parse(changes.text)).toMatchObject([{ What: 'ping-sent', To: '192.0.2.1:1' }])
    expect((await ask('GET', '/localapi/v0/explain?ip=100.64.0.9')).status).toBe(404)
  })

  test.each(['profiles/', 'profiles/current', 'serve-config', 'derpmap', 'check-ip-forwarding'])(
    'answers %s, which tools of the family ask for',
    async (route) => {
      const { status, text } = await ask('GET', `/localapi/v0/${route}`)
      expect(status).toBe(200)
      expect(() => JSON.parse(text) as unknown).not.toThrow()
    },
  )

  test('hangs up on a watcher that does not read', async () => {
    const headers = { Host: 'local-tailscaled.sock' }
    const call = request({ socketPath: path, path: '/localapi/v0/watch-ipn-bus?mask=0', headers })
    call.on('response', (response) => response.pause())
    call.on('error', () => undefined)
    call.end()
    await once(call, 'response')
    const connections = promisify(server.getConnections.bind(server))
    // What is under way in the system's own buffers does not count.
    for (let i = 0; i < 100 && (await connections()) > 0; i += 1)
      await backend.editPrefs({ HostnameSet: true, Hostname: `m${i % 2}`.padEnd(60_000, 'x') })
    expect(await connections()).toBe(0)
    call.destroy()
  })

  test('starts the node and tells on the bus how it goes', async () => {
    const client = new LocalClient(path)
    const states: (number | undefined)[] = []
    const watching = client.watch((notify) => {
      states.push(notify.State)
      return notify.State === 6
    })
    await client.start({ UpdatePrefs: { ControlURL: 'http://127.0.0.1:1' } })
    node.run()
    await watching
    expect(states.filter((state) => state !== undefined)).toEqual([2, 5, 6])
    const asked = { type: 'disco', over: 'any', size: 1_400, timeoutMs: 700 } as const
    expect(await client.ping('100.64.0.2', asked)).toMatchObject({ NodeName: 'b', Err: '' })
    expect(node.pinged).toEqual(asked)
  })
})

describe('the socket', () => {
  test('is for its owner alone', () => {
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('is not taken from a daemon that answers on it', async () => {
    await expect(listenOnSocket(createServer() as Server, path)).rejects.toThrow(
      /^Another meshd is running on .*\.$/,
    )
  })

  test('is taken over when nobody answers on it', async () => {
    const stale = join(directory, 'stale')
    const killed = createServer() as Server
    await listenOnSocket(killed, join(directory, 'killed'))
    renameSync(join(directory, 'killed'), stale) // or its end would take it away
    killed.close()
    const other = createServer() as Server
    await listenOnSocket(other, stale)
    expect(statSync(stale).isSocket()).toBe(true)
    other.close()
  })

  test('does not take the place of a file that is no socket', async () => {
    const file = join(directory, 'letter')
    writeFileSync(file, 'dear')
    await expect(listenOnSocket(createServer() as Server, file)).rejects.toThrow(
      `${file} is no socket, and stays: choose another --socket.`,
    )
    expect(readFileSync(file, 'utf8')).toBe('dear')
  })

  test('has a path that fits', async () => {
    await expect(listenOnSocket(createServer() as Server, join(directory, 'x'.repeat(120)))).rejects.toThrow(
      /shorter --socket/,
    )
  })
})
