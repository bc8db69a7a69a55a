import { request } from 'node:http'
import { generatePrivateKey } from '@mesh/keys'
import { systemRandom } from '@mesh/sansio/node'
import { afterEach, expect, test } from 'vitest'
import { startControl } from '../../src/contract/start-control.ts'
import { MemoryStore } from '../../src/index.ts'
import { ADMIN_PATH, type ControlListener } from '../../src/node/index.ts'

/** Servers that share a store prove themselves by one key. */
const privateKey = generatePrivateKey(systemRandom)
const open: ControlListener[] = []

afterEach(async () => {
  for (const control of open.splice(0)) await control.close()
})

async function listen(store = new MemoryStore()): Promise<ControlListener> {
  const control = await startControl({
    store,
    privateKey,
  })
  open.push(control)
  return control
}

function call(control: ControlListener, key: string | undefined, init: RequestInit = {}): Promise<Response> {
  const headers = key === undefined ? {} : { Authorization: `Bearer ${key}` }
  const body = JSON.stringify({ verb: 'users create', name: 'ann' })
  return fetch(control.url + ADMIN_PATH, { method: 'POST', headers, body, ...init })
}

/** Sends the headers of a question, does something when the server has taken them, and only then sends the question. */
function callSlowly(
  control: ControlListener,
  key: string,
  question: object,
  between: () => Promise<unknown>,
): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { Authorization: `Bearer ${key}`, Expect: '100-continue' }
    const slow = request(control.url + ADMIN_PATH, { method: 'POST', headers })
    slow.on('error', reject)
    slow.on('continue', () => void between().then(() => slow.end(JSON.stringify(question)), reject))
    slow.on('response', (response) => resolve(response.resume().statusCode))
  })
}

test('does what a key asks for, and nothing without one', async () => {
  const control = await listen()
  const { key } = await control.admin({ verb: 'apikeys create' })
  for (const wrong of [undefined, '', 'x', key.slice(0, -1), `${key}0`]) {
    const refused = await call(control, wrong)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
  }
  expect(await control.admin({ verb: 'users list' })).toEqual([])
  const done = await call(control, key)
  expect([done.status, await done.json()]).toEqual([
    200,
    { result: expect.objectContaining({ name: 'ann' }) as unknown },
  ])
  const log = await call(control, key, { body: '{"verb":"audit list","limit":1}' })
  const actor = { kind: 'api-key', name: key.split('-')[2] }
  expect(await log.json()).toMatchObject({ result: [{ actor, action: 'create', subject: 'user 1 (ann)' }] })
  const again = await call(control, key)
  expect([again.status, await again.json()]).toMatchObject([409, { code: 'ERR_CONTROL_USER_EXISTS' }])
  expect((await call(control, key, { body: '{"verb":"destroy everything"}' })).status).toBe(400)
  expect((await call(control, key, { method: 'GET', body: null })).status).toBe(405)
})

test('threat 26: hangs up on a body that comes without a key', async () => {
  const control = await listen()
  const body = new ReadableStream({ pull: (sink) => sink.enqueue(new Uint8Array(65_536)) })
  const sent = await call(control, 'x', { body, duplex: 'half' }).then(
    ({ status }) => status,
    () => 'hung up',
  )
  expect([401, 'hung up']).toContain(sent)
})

/** Sends a body in six pieces, one every so often. Returns the status; 0 when the server hung up. */
function dribble(url: string, headers: Readonly<Record<string, string>>, body: string): Promise<number> {
  return new Promise((resolve) => {
    const slow = request(url, { method: 'POST', headers })
    slow.on('error', () => resolve(0))
    slow.on('response', (response) => resolve(response.resume().statusCode ?? 0))
    const size = Math.ceil(body.length / 6)
    let at = 0
    const timer = setInterval(() => {
      slow.write(body.slice(at, (at += size)))
      if (at < body.length) return
      clearInterval(timer)
      slow.end()
    }, 2300)
    slow.on('close', () => clearInterval(timer))
  })
}

test('a restore over a slow line is taken for as long as it goes on; a body of a stranger is not', {
  timeout: 30_000,
}, async () => {
  const control = await listen()
  const { key } = await control.admin({ verb: 'apikeys create' })
  await control.admin({ verb: 'users create', name: 'ann' })
  const { backup } = await control.admin({ verb: 'backup' })
  await control.admin({ verb: 'users delete', user: 'ann' })
  const restore = JSON.stringify({ verb: 'restore', backup })
  const authorized = { Authorization: `Bearer ${key}` }
  const [restored, ...strangers] = await Promise.all([
    dribble(control.url + ADMIN_PATH, authorized, restore),
    dribble(control.url + ADMIN_PATH, {}, restore),
    dribble(`${control.url}/verify`, {}, `{"NodePublic":"nodekey:${'1'.repeat(64)}"}`),
  ])
  expect(restored).toBe(200)
  expect((await control.admin({ verb: 'users list' })).map(({ name }) => name)).toEqual(['ann'])
  for (const status of strangers) expect([0, 401]).toContain(status)
})

test('a key that was ended at one server does nothing at another, whatever that has heard', async () => {
  const store = new MemoryStore()
  const [one, two] = [await listen(store), await listen(store)]
  const { key } = await one.admin({ verb: 'apikeys create' })
  await two.admin({ verb: 'users list' })
  // Both are under way at once: the command finds out in its transaction.
  const ended = one.admin({ verb: 'apikeys expire', which: key })
  const asked = call(two, key)
  await ended
  expect((await asked).status).toBe(401)
  expect(await two.admin({ verb: 'users list' })).toEqual([])
})

test.each([
  { verb: 'audit list' },
  { verb: 'nodes ping', node: '1', kind: 'c2n' },
  { verb: 'nodes c2n', node: '1', path: '/echo' },
])('threat 8: $verb is not answered to a key that ended while the question came', async (question) => {
  const store = new MemoryStore()
  const [one, two] = [await listen(store), await listen(store)]
  const { key } = await one.admin({ verb: 'apikeys create' })
  await two.admin({ verb: 'users list' })
  expect(await callSlowly(two, key, question, () => Promise.resolve())).not.toBe(401)
  const end = (): Promise<unknown> => one.admin({ verb: 'apikeys expire', which: key })
  expect(await callSlowly(two, key, question, end)).toBe(401)
})
