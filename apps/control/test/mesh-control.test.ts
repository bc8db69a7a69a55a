import { request } from 'node:http'
import { X509Certificate } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { freePort } from '@mesh/acme/contract'
import type { NodeRecord } from '@mesh/control-server'
import { openSqliteStore } from '@mesh/control-server/node'
import { selfSignedCertificate } from '@mesh/derp-server/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Lab } from './support.ts'

const NODE: NodeRecord = {
  id: 1,
  stableId: 'n1',
  machineKey: `mkey:${'1'.repeat(64)}`,
  nodeKey: `nodekey:${'1'.repeat(64)}`,
  discoKey: '',
  user: 1,
  tags: [],
  givenName: 'box',
  ipv4: '100.64.0.1',
  ipv6: 'fd7a:115c:a1e0::40:1',
  expiresAt: undefined,
  registerMethod: 'auth-key',
  preAuthKey: undefined,
  approved: true,
  ephemeral: false,
  hostinfo: { Hostname: 'box', RoutableIPs: ['10.0.0.0/8'] },
  endpoints: [],
  approvedRoutes: [],
  primaryRoutes: [],
  capVersion: 138,
  createdAt: 1,
  lastSeen: undefined,
  connectedTo: undefined,
}

const lab = new Lab()
let { folder, state } = lab

const { run, ask, serve } = lab

beforeEach(() => {
  lab.open()
  ;({ folder, state } = lab)
})

afterEach(() => lab.close())

describe('a running server', () => {
  test('makes users and keys, and shows them', async () => {
    await serve()
    expect(await ask('users', 'create', 'ann', '--display-name', 'Ann A.')).toMatchObject({
      id: '1',
      name: 'ann',
    })
    expect(await ask('users', 'list')).toMatchObject([{ name: 'ann', displayName: 'Ann A.' }])
    const made = await run('preauthkeys', 'create', '--user', 'ann', '--reusable', '--state-dir', state)
    expect(made.out).toMatch(/^meshkey-auth-[0-9a-f]{12}-[0-9a-f]{64}$/)
    const tagged = await ask('preauthkeys', 'create', '--tags', 'tag:a,tag:b', '--ephemeral', '-e', '0')
    expect(tagged).toMatchObject({ aclTags: ['tag:a', 'tag:b'], ephemeral: true, expiration: null })
    expect(await ask('preauthkeys', 'expire', made.out)).toMatchObject({ id: '1' })
    const list = await ask('preauthkeys', 'list')
    expect(list).toMatchObject([
      { id: '1', user: { name: 'ann' }, reusable: true, used: false },
      { id: '2', user: null },
    ])
    expect(JSON.stringify(list)).not.toContain(made.out.slice(-64))
    expect(await ask('nodes', 'list')).toEqual([])
    expect((await run('users', 'list', '--state-dir', state)).out).toMatch(/^ID +NAME .*\n1 +ann +Ann A\./)
  })

  test('answers Headscale’s command line on its socket, and no web page', async () => {
    await serve()
    const get = (host: string): Promise<[number | undefined, string]> =>
      new Promise((resolve, reject) => {
        const headers = { Host: host }
        const call = request({ socketPath: join(state, 'control.sock'), path: '/api/v1/user', headers })
        call.on('error', reject)
        call.on('response', (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
          response.on('end', () => resolve([response.statusCode, text]))
        })
        call.end()
      })
    expect(await get('local')).toEqual([200, '{"users":[]}'])
    expect(await get('evil.example')).toEqual([403, '{"message":"forbidden"}'])
  })

  test('writes a backup that nobody else can read, and restores it while it runs', {
    timeout: 60_000,
  }, async () => {
    await serve()
    await ask('users', 'create', 'ann')
    const file = join(folder, 'backup')
    expect(await run('backup', file, '--state-dir', state)).toMatchObject({ code: 0, out: '', err: '' })
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect((await run('backup', file, '--state-dir', state)).err).toMatch(
      /cannot be written: it is there already\.$/,
    )
    await ask('users', 'create', 'bob')
    await ask('users', 'rename', 'ann', 'anna')
    expect((await run('restore', file, '--state-dir', state)).out).toBe('Restored 1 users and 0 nodes.')
    expect(await ask('users', 'list')).toMatchObject([{ id: '1', name: 'ann' }])
    expect(await ask('users', 'create', 'carl')).toMatchObject({ id: '3' })
    writeFileSync(file, 'no backup', { flag: 'w' })
    expect((await run('restore', file, '--state-dir', state)).err).toMatch(/^mesh-control: This is no backup/)
  })

  test('renames, tags, expires nodes and lets them route', { timeout: 60_000 }, async () => {
    mkdirSync(state)
    const store = await openSqliteStore(join(state, 'control.sqlite'))
    const { counters } = await store.since(0)
    await store.transact(0, () => ({
      changes: {
        users: new Map([[1, { id: 1, name: 'ann', displayName: 'Ann', createdAt: 1 }]]),
        nodes: new Map([[1, NODE]]),
      },
      counters: { ...counters, users: 1, nodes: 1, address: 1 },
    }))
    await store.close()
    await serve()
    expect(await ask('users', 'rename', 'ann', 'anna')).toMatchObject({ name: 'anna', displayName: 'anna' })
    expect(
      await ask('users', 'rename', '-i', '1', '--new-name', 'ann', '--display-name', 'Ann'),
    ).toMatchObject({
      name: 'ann',
      displayName: 'Ann',
    })
    expect(await ask('nodes', 'rename', 'router', '-i', '1')).toMatchObject({
      dnsName: 'router.mesh.internal',
    })
    const routes = ['10.0.0.0/8', '0.0.0.0/0', '::/0']
    expect(await ask('nodes', 'approve-routes', 'router', '-r', '10.0.0.0/8,0.0.0.0/0')).toMatchObject({
      approvedRoutes: routes,
    })
    const { out } = await run('nodes', 'list-routes', '--state-dir', state)
    expect(out.split('\n')[1]).toBe('1   router  10.0.0.0/8, 0.0.0.0/0, ::/0  10.0.0.0/8  10.0.0.0/8')
    expect(await ask('nodes', 'approve-routes', 'router', '-r', '')).toMatchObject({ approvedRoutes: [] })
    expect(await ask('nodes', 'expire', '1')).toMatchObject({ expired: true })
    expect(await ask('nodes', 'expire', '1', '--expiry', '2099-01-31T12:00:00Z')).toMatchObject({
      expired: false,
      expiry: '2099-01-31T12:00:00.000Z',
    })
    expect(await ask('nodes', 'expire', '1', '--disable')).toMatchObject({ expired: false, expiry: null })
    const refused = await run('users', 'delete', 'ann', '--state-dir', state)
    expect([refused.code, refused.err]).toEqual([1, expect.stringContaining('still has 1 nodes (router)')])
    const log = await run('audit', 'list', '--since', '1h', '--state-dir', state)
    expect(log.out.split('\n').at(-1)).toMatch(
      / +cli +change +node 1 \(router\) +expires: 2099-01-31T12:00:00.000Z -> none$/,
    )
    expect(await ask('audit', 'list', '--limit', '1')).toMatchObject([
      { actor: { kind: 'cli' }, action: 'change', subject: 'node 1 (router)', after: { expires: null } },
    ])
    expect((await run('audit', 'list', '--since', 'yesterday', '--state-dir', state)).code).toBe(1)
    expect(await ask('nodes', 'tag', '1', '-t', 'tag:a,tag:b')).toMatchObject({
      user: { name: 'tagged-devices' },
      tags: ['tag:a', 'tag:b'],
    })
    expect(await ask('users', 'destroy', '--name', 'ann', '--force')).toMatchObject({ name: 'ann' })
    expect(await ask('users', 'list')).toEqual([])
  })

  test('speaks TLS, takes renewed certificates, and is a relay under the same address', {
    timeout: 30_000,
  }, async () => {
    const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(folder, name)) as [string, string]
    const renew = (): string => {
      const made = selfSignedCertificate('127.0.0.1')
      writeFileSync(key, made.key)
      writeFileSync(cert, made.cert)
      return made.cert
    }
    const presented = (port: number): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
          resolve(socket.getPeerX509Certificate()?.toString() ?? '')
          socket.destroy()
        })
        socket.on('error', reject)
      })
    const statusOf = (url: string, ca: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        // The name is not checked: a certificate for a test names what it likes.
        const options = { ca, agent: false, checkServerIdentity: () => undefined }
        httpsRequest(url, options, (response) => resolve(response.resume().statusCode))
          .on('error', reject)
          .end()
      })
    const first = renew()
    const port = await freePort()
    const flags = ['--listen', `127.0.0.1:${port}`, '--tls-cert', cert, '--tls-key', key]
    const { url, child } = await serve(...flags, '--embedded-relay', '--stun', '127.0.0.1:0')
    expect(url).toBe(`https://127.0.0.1:${port}`)
    for (const path of ['/key?v=138', '/derp/probe', '/health'])
      expect(await statusOf(url + path, first)).toBe(200)
    expect(await statusOf(`${url}/nothing`, first)).toBe(404)
    expect(statSync(join(state, 'relay.key')).mode & 0o777).toBe(0o600)
    const second = renew()
    child.kill('SIGHUP')
    const same = (a: string, b: string): boolean =>
      new X509Certificate(a).raw.equals(new X509Certificate(b).raw)
    for (let i = 0; i < 100 && !same(await presented(port), second); i += 1)
      await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await statusOf(`${url}/health`, second)).toBe(200)
  })

  test('goes on when it is told to read certificates again that are no files', async () => {
    const { url, child, log } = await serve()
    child.kill('SIGHUP')
    await expect.poll(log, { timeout: 10_000 }).toContain('there is no certificate file to be read again')
    expect((await fetch(`${url}/health`)).status).toBe(200)
  })

  test('threat 6: shows how it stands on a port of its own, to this machine alone', {
    timeout: 30_000,
  }, async () => {
    const port = await freePort()
    const { url } = await serve('--metrics-listen', `127.0.0.1:${port}`)
    await ask('users', 'create', 'ann')
    const page = async (path: string, at = `http://127.0.0.1:${port}`): Promise<[number, string]> => {
      const response = await fetch(at + path)
      return [response.status, await response.text()]
    }
    const [status, metrics] = await page('/metrics')
    expect(status).toBe(200)
    expect(metrics).toMatch(
      /^# HELP mesh_control_users .*\n# TYPE mesh_control_users gauge\nmesh_control_users 1\n/,
    )
    expect(
      metrics
        .split('\n')
        .every((line) => /^(|# (HELP|TYPE) .*|mesh_control_\w+(\{\w+="[\w-]+"\})? \d+)$/.test(line)),
    ).toBe(true)
    expect(JSON.parse((await page('/debug/vars'))[1])).toMatchObject({ users: 1, nodes: 0, nodesOnline: 0 })
    expect([(await page('/health'))[0], (await page('/nothing'))[0]]).toEqual([200, 404])
    for (const path of ['/metrics', '/debug/vars']) expect((await page(path, url))[0]).toBe(404)
    expect(await run('configtest', '--metrics-listen', '0.0.0.0:9090')).toMatchObject({
      code: 1,
      err: expect.stringContaining('are for this machine alone') as string,
    })
  })

  test('control 1: has the same key and the same users after SIGKILL', async () => {
    const first = await serve()
    await ask('users', 'create', 'ann')
    const key = await (await fetch(`${first.url}/key?v=138`)).text()
    first.child.kill('SIGKILL')
    const second = await serve()
    expect(await (await fetch(`${second.url}/key?v=138`)).text()).toBe(key)
    expect(await ask('users', 'list')).toMatchObject([{ name: 'ann' }])
  })

  test('threat 8: keeps its files and its socket for its owner', async () => {
    await serve()
    expect(statSync(state).mode & 0o777).toBe(0o700)
    const files = ['private.key', 'control.sqlite', 'control.sqlite-wal', 'control.sock', 'control.lock']
    for (const file of files) {
      expect([file, statSync(join(state, file)).mode & 0o777]).toEqual([file, 0o600])
    }
    expect(readdirSync(state).filter((file) => file.endsWith('.new'))).toEqual([])
  })

  test('threat 8: keeps of the keys that it gives out nothing by which one could get in', async () => {
    const { child } = await serve()
    await ask('users', 'create', 'ann')
    const verb = async (...args: string[]): Promise<string> => (await run(...args, '--state-dir', state)).out
    const minted = [await verb('preauthkeys', 'create', '--user', 'ann'), await verb('apikeys', 'create')]
    const backup = await verb('backup')
    const closed = new Promise((resolve) => child.on('close', resolve))
    child.kill('SIGKILL')
    await closed
    const kept = readdirSync(state).filter((file) => !file.endsWith('.sock'))
    const bytes = kept.map((file) => readFileSync(join(state, file), 'latin1')).join('')
    for (const key of minted) {
      const [, , prefix = '', secret = ''] = key.split('-')
      expect([secret.length, bytes.includes(prefix), backup.includes(prefix)]).toEqual([64, true, true])
      expect(bytes + backup).not.toContain(secret)
    }
  })

  test('threat 7: never logs a secret', async () => {
    const { child, url, log } = await serve('--verbose')
    await ask('users', 'create', 'ann')
    const { key } = (await ask('preauthkeys', 'create', '--user', 'ann')) as { key: string }
    const { out: apiKey } = await run('apikeys', 'create', '--state-dir', state)
    const wrong = `${apiKey.slice(0, -64)}${'5ec7e7'.padEnd(64, '0')}`
    const call = async (bearer: string, command: object): Promise<number> => {
      const init = { method: 'POST', headers: { Authorization: `Bearer ${bearer}` } }
      return (await fetch(`${url}/api/v1/command`, { ...init, body: JSON.stringify(command) })).status
    }
    expect(await call(apiKey, { verb: 'users list' })).toBe(200)
    expect(await call(wrong, { verb: 'users list' })).toBe(401)
    expect(await call(apiKey, { verb: 'preauthkeys expire', which: key })).toBe(200)
    expect(await call(apiKey, { verb: 'apikeys delete', which: apiKey })).toBe(200)
    const privateKey = readFileSync(join(state, 'private.key'), 'utf8').trim().slice('privkey:'.length)
    const closed = new Promise((resolve) => child.on('close', resolve))
    child.kill('SIGTERM')
    expect(await closed).toBe(0)
    expect(log()).toContain('"msg":"ready"')
    for (const secret of [key, apiKey, wrong, privateKey].map((text) => text.slice(-64))) {
      expect(secret).toMatch(/^[0-9a-f]{64}$/)
      expect(log()).not.toContain(secret)
    }
  })

  test('tells nodes of the relays it was given', async () => {
    const map = join(folder, 'relays.json')
    const region = {
      RegionID: 7,
      RegionCode: 'x',
      RegionName: 'X',
      Nodes: [{ Name: '7a', RegionID: 7, HostName: 'x' }],
    }
    writeFileSync(map, JSON.stringify({ Regions: { 7: region } }))
    await serve('--derp-map', map)
    writeFileSync(map, JSON.stringify({ Regions: { 8: region } }))
    expect(await run('serve', '--derp-map', map, '--state-dir', join(folder, 'other'))).toMatchObject({
      code: 1,
      err: `mesh-control: ${map} has a region whose RegionID is not its key.`,
    })
  })
})

describe('one clear sentence and exit code 1', () => {
  /** Runs a command that must fail; returns the last line it said. */
  const refusal = async (...args: string[]): Promise<string | undefined> => {
    const { code, out, err } = await run(...args)
    return code === 1 && out === '' ? err.split('\n').at(-1) : `code ${code}, ${out}, ${err}`
  }

  test('when the port or the directory is taken', async () => {
    const { url } = await serve()
    const taken = url.replace('http://', '')
    expect(await refusal('serve', '--listen', taken, '--state-dir', join(folder, 'other'))).toBe(
      `mesh-control: ${taken} is in use by another program.`,
    )
    expect(await refusal('serve', '--listen', '127.0.0.1:0', '--state-dir', state)).toBe(
      `mesh-control: Another mesh-control already serves from ${state}.`,
    )
  })

  test.each([
    ['private.key', 'The key file PATH does not hold a private key.'],
    ['control.sqlite', 'The database PATH cannot be used: file is not a database.'],
  ])('when %s cannot be read', async (file, sentence) => {
    const path = join(folder, file)
    writeFileSync(path, 'nonsense '.repeat(1000))
    expect(await refusal('serve', '--listen', '127.0.0.1:0', '--state-dir', folder)).toBe(
      `mesh-control: ${sentence.replace('PATH', path)}`,
    )
  })

  test('when the network belongs to servers with another private key, until it is bound anew', {
    timeout: 30_000,
  }, async () => {
    const { child } = await serve()
    const ended = new Promise((resolve) => child.on('exit', resolve))
    child.kill('SIGTERM')
    await ended
    const key = ['--private-key', join(folder, 'other.key')]
    expect(await refusal('serve', ...key, '--state-dir', state, '--listen', '127.0.0.1:0')).toMatch(
      /^mesh-control: The network in this database belongs to servers with another private key, .*"mesh-control rekey"\.$/,
    )
    const rekeyed = await run('rekey', ...key, '--state-dir', state)
    expect(rekeyed.out).toMatch(/^The network is bound to mkey:[0-9a-f]{64}: /)
    await serve(...key)
  })

  test('when the state directory is a file', async () => {
    writeFileSync(join(folder, 'file'), '')
    expect(await refusal('serve', '--state-dir', join(folder, 'file'))).toMatch(
      /^mesh-control: .* cannot be used/,
    )
  })

  test.each([
    [/^mesh-control: unknown option '--bogus'\.$/, ['serve', '--bogus']],
    [/Write it as 127\.0\.0\.1:8080/, ['serve', '--listen', 'nowhere']],
    [/Write it as https:\/\//, ['serve', '--relay', 'relay.example']],
    [/It knows stun=PORT/, ['serve', '--relay', 'https://relay.example,sturn=1']],
    [/none cannot be read/, ['serve', '--derp-map', '/none']],
    [/either --relay or --derp-map/, ['serve', '--derp-map', 'x', '--relay', 'https://x']],
    [/say by --server-url/, ['serve', '--listen', '0.0.0.0:0']],
    [/go together/, ['serve', '--tls-cert', 'x']],
    [/none cannot be read/, ['serve', '--tls-cert', '/none', '--tls-key', '/none']],
    [/say the port/, ['serve', '--listen', '127.0.0.1:0', '--embedded-relay']],
    [
      /covers the server's own name/,
      ['serve', '--listen', '127.0.0.1:0', '--server-url', 'https://c.mesh.internal'],
    ],
    [/Write it as 90s/, ['preauthkeys', 'create', '--user', 'ann', '--expiration', 'soon']],
    [/Say which node/, ['nodes', 'delete']],
    [
      /^mesh-control: No mesh-control is serving on .*: start it, or name its --state-dir, or its --url\.$/,
      ['users', 'list'],
    ],
  ])('%s', async (sentence, args) => {
    expect(await refusal(...args, '--state-dir', state)).toMatch(sentence)
  })

  test('threat 7: when the address of the database makes no sense, without the password in it', async () => {
    const [args, password] = [['--state-dir', state], 'hunter2']
    expect(await refusal('serve', '--database', `postgres:/mesh:${password}@db/mesh`, ...args)).toBe(
      'mesh-control: --database: Write it as postgres://user:password@host:port/database.',
    )
  })

  test('when the named thing is not there', { timeout: 30_000 }, async () => {
    await serve()
    const refused = (...args: string[]): Promise<string | undefined> => refusal(...args, '--state-dir', state)
    expect(await refused('preauthkeys', 'create', '--user', 'bob')).toBe(
      'mesh-control: There is no user bob.',
    )
    expect(await refused('nodes', 'expire', '--identifier', '9')).toBe('mesh-control: There is no node 9.')
    expect(await refused('preauthkeys', 'expire', '9')).toBe('mesh-control: There is no such pre-auth key.')
    await ask('users', 'create', 'ann')
    expect(await refused('nodes', 'register', '--key', 'x', '--user', 'ann')).toMatch(
      /No login waits under x:/,
    )
    expect(await refused('users', 'create', 'ann')).toBe('mesh-control: There is a user named ann already.')
  })
})
