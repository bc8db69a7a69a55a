import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import pg from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import { startPostgres, storeContract } from '../../src/contract/index.ts'
import type { Store } from '../../src/index.ts'
import { missingPostgresSteps, openPostgresStore } from '../../src/node/index.ts'
import { NOTHING } from '../../src/state.ts'

const server = await startPostgres()
if (typeof server === 'string') console.warn(`skipped: the PostgreSQL store, ${server}`)
let networks = 0

afterAll(async () => {
  if (typeof server !== 'string') await server.close()
})

test.each([
  'postgres://mesh:secret@127.0.0.1:1/mesh',
  'postgres://mesh:sec/ret@127.0.0.1:1/mesh',
  'postgres://mesh:sec@ret@127.0.0.1:1/mesh',
  'postgres://127.0.0.1:1/mesh?user=mesh&password=secret',
])('threat 7: says that the database at %s cannot be used without its password', async (url) => {
  for (const attempt of [() => openPostgresStore({ url }), () => missingPostgresSteps(url)]) {
    const { message } = await attempt().then(
      () => new Error('it can be used'),
      (error: Error) => error,
    )
    expect(message).toMatch(/^The database .*cannot be used: .+\.$/)
    expect(message).not.toMatch(/sec|ret/)
  }
})

describe.skipIf(typeof server === 'string')('the PostgreSQL store', () => {
  const { url, kill, start } = bound()

  storeContract(test, async () => {
    const network = `network-${(networks += 1)}`
    const again = (): Promise<Store> => openPostgresStore({ url, network })
    return { store: await again(), again }
  })

  test('keeps networks in one database apart', async () => {
    const [one, two] = (await Promise.all(
      ['one', 'two'].map((network) => openPostgresStore({ url, network })),
    )) as [Store, Store]
    const user = { id: 1, name: 'ann', displayName: 'Ann', createdAt: 1 }
    const counters = { ...NOTHING.counters, users: 1 }
    for (const store of [one, two])
      await store.transact(0, () => ({ changes: { users: new Map([[1, user]]) }, counters }))
    await one.transact(1, () => ({ changes: { users: new Map([[1, undefined]]) }, counters }))
    expect((await one.since(0)).changes.users?.size).toBe(0)
    expect((await two.since(0)).changes.users?.size).toBe(1)
    await Promise.all([one.close(), two.close()])
  })

  test('says in one sentence that a database cannot be reached, without its password', async () => {
    const away = openPostgresStore({ url: 'postgres://mesh:secret@127.0.0.1:1/mesh' })
    await expect(away).rejects.toThrow(
      /^The database postgres:\/\/mesh:\*\*\*@127.0.0.1:1\/mesh cannot be used: /,
    )
  })

  test('survives its database being killed, and hears again what is written', {
    timeout: 60_000,
  }, async () => {
    const [one, two] = (await Promise.all(
      [1, 2].map(() => openPostgresStore({ url, network: 'killed' })),
    )) as [Store, Store]
    const calls: true[] = []
    two.watch(() => void calls.push(true))
    await kill()
    await expect(one.since(0)).rejects.toMatchObject({ code: 'ERR_CONTROL_STORE' })
    await start()
    const counters = { ...NOTHING.counters, nodes: 7 }
    const end = Date.now() + 20_000
    while ((await one.since(0).catch(() => undefined)) === undefined && Date.now() < end) continue
    const before = calls.length
    await one.transact(0, () => ({ changes: {}, counters }))
    while (calls.length <= before && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 10))
    expect(calls.length).toBeGreaterThan(before)
    expect((await two.since(0)).counters.nodes).toBe(7)
    await Promise.all([one.close(), two.close()])
  })

  test('leaves connections that are dead without a word, and hears again what is written', {
    timeout: 60_000,
  }, async () => {
    const road = await openRoad(url)
    const [one, other] = await Promise.all([
      openPostgresStore({ url: road.url, network: 'silent' }),
      openPostgresStore({ url, network: 'silent' }),
    ])
    const calls: true[] = []
    one.watch(() => void calls.push(true))
    while (calls.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
    const write = (store: Store): Promise<number> =>
      store.transact(0, () => ({ changes: {}, counters: NOTHING.counters }))
    await Promise.all([write(one), one.since(0), one.attend('one')])
    road.forgetAll()
    const refused = await Promise.allSettled([write(one), one.since(0), one.attend('one')])
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    const before = await one.since(0)
    expect(await write(one)).toBe(before.version + 1)
    calls.length = 0
    const isHeard = async (): Promise<boolean> => (await write(other), calls.length > 0)
    await expect.poll(isHeard, { timeout: 20_000, interval: 200 }).toBe(true)
    calls.length = 0
    await write(other)
    await expect.poll(() => calls.length, { timeout: 1_000 }).toBeGreaterThan(0)
    await Promise.all([one.close(), other.close()])
    road.close()
  })

  test('survives its database being killed in the middle of transactions', { timeout: 60_000 }, async () => {
    const store = await openPostgresStore({ url, network: 'busy' })
    const counters = NOTHING.counters
    const outcomes = Array.from({ length: 400 }, () => store.transact(0, () => ({ changes: {}, counters })))
    const settled = Promise.allSettled(outcomes)
    await outcomes[20]
    await kill()
    expect((await settled).filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0)
    await start()
    const done = (await settled).filter(({ status }) => status === 'fulfilled').length
    const { version } = await store.since(0)
    // What was acknowledged is there; what was under way may be.
    expect([version - done, version - done <= 1]).toEqual([version - done, true])
    expect(version).toBeGreaterThanOrEqual(done)
    await store.close()
  })

  test('widens the ids of an older database, which migrate --dry-run says first', async () => {
    const database = await older(['007-wide-ids', '008-server-key'])
    expect(await missingPostgresSteps(database)).toEqual(['007-wide-ids', '008-server-key'])
    expect(await narrowColumns(database)).toEqual(
      expect.arrayContaining(['users.id', 'nodes.network_id', 'gone.id', 'networks.id']),
    )
    const saved: Record<string, readonly object[]>[] = []
    const store = await openPostgresStore({
      url: database,
      onMigration: async (rows) => void saved.push(rows),
    })
    expect(await narrowColumns(database)).toEqual([])
    expect(saved[0]?.['users']).toMatchObject([{ id: 1, name: 'ann' }])
    expect((await store.since(0)).changes.users?.get(1)?.name).toBe('ann')
    await store.close()
  })

  test('will not go on with a number that it could only round', async () => {
    const store = await openPostgresStore({ url, network: 'huge' })
    await query(url, "UPDATE networks SET version = 9007199254740993 WHERE name = 'huge'")
    await expect(store.since(0)).rejects.toThrow(/^The database cannot be used: .*9007199254740993\.$/)
    await store.close()
  })

  test('holds no server for alive that was last seen in what is the future since the clock was set', async () => {
    const store = await openPostgresStore({ url, network: 'clock' })
    await store.attend('gone')
    await query(url, "UPDATE servers SET seen_at = seen_at + 3600000 WHERE name = 'gone'")
    expect((await store.attend('here')).servers).toEqual(['here'])
    await store.close()
  })

  test('refuses a database from a later version, and says which steps are missing', async () => {
    expect(await missingPostgresSteps(url)).toEqual([])
    const client = new pg.Client({ connectionString: url })
    await client.connect()
    await client.query("INSERT INTO mesh_migrations VALUES ('999-later', '2030-01-01')")
    await expect(openPostgresStore({ url })).rejects.toThrow(/later version .*999-later/)
    await client.query("DELETE FROM mesh_migrations WHERE name = '999-later'")
    await client.end()
  })
})

/** Makes a database as it was before some steps ran, with a user in it. Returns its URL. */
async function older(steps: readonly string[]): Promise<string> {
  const { url } = bound()
  await query(url, 'CREATE DATABASE older')
  const database = url.replace(/postgres$/, 'older')
  const store = await openPostgresStore({ url: database })
  const ann = { id: 1, name: 'ann', displayName: 'Ann', createdAt: 1 }
  await store.transact(0, () => ({ changes: { users: new Map([[1, ann]]) }, counters: NOTHING.counters }))
  await store.close()
  for (const step of steps) await query(database, `DELETE FROM mesh_migrations WHERE name = '${step}'`)
  await query(database, 'ALTER TABLE networks DROP COLUMN server_key')
  for (const { table_name, column_name } of await columnsOfType(database, 'bigint'))
    if (/^(id|network_id|seq)$/.test(column_name))
      await query(database, `ALTER TABLE ${table_name} ALTER ${column_name} TYPE integer`)
  return database
}

/** Returns the columns of ids that have 32 bits. */
async function narrowColumns(database: string): Promise<readonly string[]> {
  const narrow = await columnsOfType(database, 'integer')
  return narrow
    .map(({ table_name, column_name }) => `${table_name}.${column_name}`)
    .filter((name) => !/by_node|lock/.test(name))
}

async function columnsOfType(database: string, type: string): Promise<Column[]> {
  const tables = "table_schema = 'public' AND table_name NOT LIKE 'mesh_migrations%'"
  return query(
    database,
    `SELECT table_name, column_name FROM information_schema.columns WHERE ${tables} AND data_type = '${type}'`,
  )
}

interface Column {
  readonly table_name: string
  readonly column_name: string
}

async function query(database: string, text: string): Promise<Column[]> {
  const client = new pg.Client({ connectionString: database })
  await client.connect()
  const { rows } = await client.query<Column>(text)
  await client.end()
  return rows
}

function bound(): { url: string; kill: () => Promise<void>; start: () => Promise<void> } {
  if (typeof server === 'string') return { url: '', kill: async () => {}, start: async () => {} }
  return { url: server.url, kill: () => server.kill(), start: () => server.start() }
}

/** A road to a database on which connections can die without either end hearing of it. */
async function openRoad(
  url: string,
): Promise<{ readonly url: string; readonly forgetAll: () => void; readonly close: () => void }> {
  const { hostname, port, pathname, username } = new URL(url)
  const pairs = new Set<readonly Socket[]>()
  const all: Socket[] = []
  const road = createServer((near) => {
    const far = connect(Number(port), hostname)
    pairs.add([near, far])
    all.push(near, far)
    for (const each of [near, far]) each.on('error', () => undefined)
    near.pipe(far)
    far.pipe(near)
  })
  road.listen(0, '127.0.0.1')
  await once(road, 'listening')
  return {
    url: `postgres://${username}@127.0.0.1:${(road.address() as AddressInfo).port}${pathname}`,
    forgetAll: () => {
      for (const [near, far] of pairs) {
        near?.unpipe(far)
        far?.unpipe(near)
      }
      pairs.clear()
    },
    close: () => {
      road.close()
      for (const each of all) each.destroy()
    },
  }
}
