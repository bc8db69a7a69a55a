// The paths of Headscale's API. That a real headscale answers in the same shape is shown in e2e/system.
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startControl } from '../../src/contract/start-control.ts'
import type { ControlListener } from '../../src/node/index.ts'
import { REST_ROUTES } from '../../src/node/rest-routes.ts'
import { RawMachine } from './raw-client.ts'

let control: ControlListener
let apiKey = ''

beforeEach(async () => {
  control = await startControl()
  apiKey = (await control.admin({ verb: 'apikeys create' })).key
})

afterEach(() => control.close())

async function call(method: string, path: string, body?: unknown): Promise<[status: number, body: unknown]> {
  const response = await fetch(`${control.url}/api/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${apiKey}` },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  return [response.status, await response.json()]
}

const ANN = {
  id: '1',
  name: 'ann',
  createdAt: expect.any(String) as string,
  displayName: 'Ann',
  email: 'ann@example.com',
  providerId: '',
  provider: '',
  profilePicUrl: 'https://example.com/a.png',
}

test('makes, lists, renames and removes users', async () => {
  const wish = {
    name: 'ann',
    displayName: 'Ann',
    email: 'ann@example.com',
    picture_url: 'https://example.com/a.png',
  }
  expect(await call('POST', '/user', wish)).toEqual([200, { user: ANN }])
  expect(await call('POST', '/user', { name: 'bob', displayName: '' })).toMatchObject([
    200,
    { user: { id: '2' } },
  ])
  expect(await call('GET', '/user?email=ann@example.com')).toEqual([200, { users: [ANN] }])
  expect(await call('GET', '/user?id=0')).toMatchObject([200, { users: [{ id: '1' }, { id: '2' }] }])
  expect(await call('POST', '/user/2/rename/b%40example.com')).toMatchObject([
    200,
    { user: { name: 'b@example.com' } },
  ])
  expect(await call('DELETE', '/user/2')).toEqual([200, {}])
  expect(await call('DELETE', '/user/2')).toEqual([
    404,
    {
      title: 'Not Found',
      status: 404,
      detail: 'There is no user 2.',
      code: 'ERR_CONTROL_USER_UNKNOWN',
    },
  ])
})

test('makes and ends pre-auth keys and API keys', async () => {
  await call('POST', '/user', { name: 'ann' })
  const expiration = '2099-01-31T12:00:00.123456789Z'
  const [, made] = await call('POST', '/preauthkey', { user: '1', reusable: true, expiration })
  const key = expect.stringMatching(/^meshkey-auth-[0-9a-f]{12}-[0-9a-f]{64}$/) as string
  expect(made).toMatchObject({ preAuthKey: { key, reusable: true, used: false, user: { name: 'ann' } } })
  const { preAuthKey } = made as { preAuthKey: { expiration: string } }
  expect(Math.abs(Date.parse(preAuthKey.expiration) - Date.parse(expiration))).toBeLessThan(10_000)
  const tagged = { user: '0', aclTags: ['tag:web'], expiration: null }
  expect(await call('POST', '/preauthkey', tagged)).toMatchObject([
    200,
    { preAuthKey: { user: null, aclTags: ['tag:web'], expiration: null } },
  ])
  expect(await call('POST', '/preauthkey/expire', { id: '1' })).toEqual([200, {}])
  expect(await call('DELETE', '/preauthkey?id=1')).toEqual([200, {}])
  expect(await call('GET', '/preauthkey')).toMatchObject([200, { preAuthKeys: [{ id: '2' }] }])
  const [, api] = await call('POST', '/apikey', {})
  expect(api).toEqual({ apiKey: expect.stringMatching(/^meshkey-api-/) as string })
  const [, { apiKeys }] = (await call('GET', '/apikey')) as [number, { apiKeys: { prefix: string }[] }]
  expect(await call('POST', '/apikey/expire', { prefix: apiKeys[1]?.prefix })).toEqual([200, {}])
  expect(await call('DELETE', `/apikey/${apiKeys[1]?.prefix}`)).toEqual([200, {}])
})

test('shows a node, and tags, renames, expires and removes it', async () => {
  await call('POST', '/user', { name: 'ann' })
  const { key } = await control.admin({ verb: 'preauthkeys create', user: 'ann' })
  const machine = new RawMachine()
  const session = await machine.connect(control.url)
  await machine.register(session, { Auth: { AuthKey: key } })
  session.destroy()
  const [, { nodes }] = (await call('GET', '/node?user=ann')) as [number, { nodes: unknown[] }]
  expect(nodes).toMatchObject([
    {
      id: '1',
      name: 'box',
      givenName: 'box',
      ipAddresses: ['100.64.0.1', expect.any(String)],
      user: { name: 'ann' },
      registerMethod: 'REGISTER_METHOD_AUTH_KEY',
      preAuthKey: { id: '1', used: true },
      expiry: null,
      tags: [],
    },
  ])
  expect(await call('GET', '/node/1')).toEqual([200, { node: nodes[0] }])
  expect(await call('POST', '/node/1/rename/printer')).toMatchObject([
    200,
    { node: { givenName: 'printer' } },
  ])
  const routes = { routes: ['10.0.0.0/8'] }
  expect(await call('POST', '/node/1/approve_routes', routes)).toMatchObject([
    200,
    { node: { approvedRoutes: ['10.0.0.0/8'] } },
  ])
  const at = { expiry: '2099-01-31T12:00:00Z' }
  expect(await call('POST', '/node/1/expire', at)).toMatchObject([
    200,
    { node: { expiry: '2099-01-31T12:00:00.000Z', expired: false } },
  ])
  expect(await call('POST', '/node/1/expire', { disableExpiry: true })).toMatchObject([
    200,
    { node: { expiry: null } },
  ])
  expect(await call('POST', '/node/1/expire')).toMatchObject([200, { node: { expired: true } }])
  expect(await call('POST', '/node/1/tags', { tags: ['tag:web'] })).toMatchObject([
    200,
    { node: { tags: ['tag:web'], user: { name: 'tagged-devices' } } },
  ])
  expect(await call('POST', '/node/backfillips?confirmed=true')).toEqual([200, { changes: [] }])
  expect(await call('DELETE', '/node/1')).toEqual([200, {}])
  expect(await call('GET', '/node/1')).toMatchObject([404, { code: 'ERR_CONTROL_NODE_UNKNOWN' }])
})

test('says that it is well, and to anybody what it is', async () => {
  expect(await call('GET', '/health')).toEqual([200, { databaseConnectivity: true }])
  expect(await (await fetch(`${control.url}/version`)).json()).toEqual({ version: 'mesh' })
})

test('keeps the policy', async () => {
  const policy = '{ "acls": [] } // none'
  expect(await call('POST', '/policy/check', { policy })).toEqual([200, {}])
  expect(await call('PUT', '/policy', { policy })).toEqual([
    200,
    { policy, updatedAt: expect.any(String) as string },
  ])
  expect(await call('GET', '/policy')).toMatchObject([200, { policy }])
  expect(await call('PUT', '/policy', { policy: '{' })).toMatchObject([400, { code: 'ERR_CONTROL_POLICY' }])
})

test('says in a sentence what is wrong with a request', async () => {
  const bad: [string, string, unknown, number][] = [
    ['GET', '/nothing', undefined, 404],
    ['PATCH', '/user', {}, 405],
    ['POST', '/user', '{', 400],
    ['POST', '/user', {}, 400],
    ['POST', '/user', { name: 7 }, 400],
    ['POST', '/user', { name: 'x', email: 'no' }, 400],
    ['POST', '/user', { name: 'x', pictureUrl: 'javascript:alert(1)' }, 400],
    ['POST', '/user/1/rename/%E0%A4', undefined, 400],
    ['POST', '/preauthkey', { user: '9' }, 404],
    ['POST', '/preauthkey', { aclTags: ['tag:a'], expiration: '2001-01-01T00:00:00Z' }, 400],
    ['POST', '/preauthkey', { aclTags: ['tag:a'], expiration: 'soon' }, 400],
    ['POST', '/preauthkey/expire', {}, 400],
    ['POST', '/node/1/tags', {}, 404],
    ['POST', '/auth/register', { user: 'ann', authId: '1' }, 404],
    ['POST', '/auth/approve', {}, 400],
    ['POST', '/command', '{}', 400],
  ]
  for (const [method, path, body, expected] of bad) {
    const [status, { detail }] = (await call(method, path, body)) as [number, { detail: string }]
    expect([method, path, status, detail]).toEqual([method, path, expected, expect.stringMatching(/[.?]$/)])
  }
})

test('threat 8: every path is closed to those without a key', async () => {
  apiKey = 'meshkey-api-000000000000-'.padEnd(89, '0')
  for (const { method, path } of REST_ROUTES) {
    const [status, body] = await call(method, path.replaceAll(/\{\w+\}/g, '1'))
    expect([path, status, body]).toMatchObject([path, 401, { title: 'Unauthorized' }])
  }
})

test('two users cannot have one mail address, by which a policy names one', async () => {
  await call('POST', '/user', { name: 'ann', email: 'a@example.com' })
  for (const wish of [{ name: 'a@example.com' }, { name: 'amy', email: 'a@example.com' }])
    expect((await call('POST', '/user', wish))[0]).toBe(409)
})
