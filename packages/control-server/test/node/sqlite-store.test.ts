import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { storeContract } from '../../src/contract/index.ts'
import type { Store } from '../../src/index.ts'
import { missingSqliteSteps, openSqliteStore } from '../../src/node/index.ts'
import { NOTHING } from '../../src/state.ts'

const folder = mkdtempSync(join(tmpdir(), 'mesh-store-'))
let files = 0
const freshPath = (): string => join(folder, `${(files += 1)}.sqlite`)
const addAnn = (store: Store): Promise<number> =>
  store.transact(0, () => ({
    changes: { users: new Map([[1, { id: 1, name: 'ann', displayName: 'Ann', createdAt: 1 }]]) },
    counters: { ...NOTHING.counters, users: 1 },
  }))

afterAll(() => rmSync(folder, { recursive: true }))

describe('the SQLite store', () => {
  storeContract(test, async () => ({ store: await openSqliteStore(freshPath()) }))

  test('remembers across a close', async () => {
    const path = freshPath()
    const first = await openSqliteStore(path)
    await addAnn(first)
    const before = await first.since(0)
    await first.close()
    const second = await openSqliteStore(path)
    expect(await second.since(0)).toEqual(before)
    await second.close()
  })

  test('threat 8: keeps its files from other users, also when they were made too open', async () => {
    const path = freshPath()
    writeFileSync(path, '')
    chmodSync(path, 0o644)
    const store = await openSqliteStore(path)
    await addAnn(store)
    for (const file of [path, `${path}-wal`]) expect(statSync(file).mode & 0o777).toBe(0o600)
    await store.close()
  })

  test('says in one sentence that a file is no database, and leaves it alone', async () => {
    const path = freshPath()
    const text = 'this is no database, but it is long enough to be looked at as one\n'.repeat(20)
    writeFileSync(path, text)
    await expect(openSqliteStore(path)).rejects.toThrow(/cannot be used: file is not a database\.$/)
    expect(readFileSync(path, 'utf8')).toBe(text)
  })

  test('refuses a damaged file with the remedy, and leaves it alone', async () => {
    const path = freshPath()
    const store = await openSqliteStore(path)
    await addAnn(store)
    await store.close()
    const bytes = readFileSync(path)
    bytes.fill(0xff, 4096, 4096 + 2048)
    writeFileSync(path, bytes)
    await expect(openSqliteStore(path)).rejects.toThrow(/is damaged .*restore a backup|malformed/)
    expect(readFileSync(path)).toEqual(bytes)
  })

  test('refuses a file from a later version with the remedy, and leaves it alone', async () => {
    const path = freshPath()
    await (await openSqliteStore(path)).close()
    const database = new DatabaseSync(path)
    database.exec("INSERT INTO mesh_migrations VALUES ('999-later', '2030-01-01')")
    database.close()
    const before = readFileSync(path)
    await expect(openSqliteStore(path)).rejects.toThrow(/later version .*999-later.*run that version/)
    expect(readFileSync(path)).toEqual(before)
  })

  test('saves an older file beside itself before every migration, whatever is there from the last one', async () => {
    const path = freshPath()
    await (await openSqliteStore(path)).close()
    for (const from of [1, 2]) {
      const older = new DatabaseSync(path)
      older.exec("DELETE FROM mesh_migrations WHERE name = '008-server-key'")
      older.exec('ALTER TABLE networks DROP COLUMN server_key')
      older.exec(`CREATE TABLE mark_${from} (id)`)
      older.close()
      await (await openSqliteStore(path)).close()
      const saved = new DatabaseSync(`${path}.before-migration`, { readOnly: true })
      expect(saved.prepare(`SELECT count(*) AS rows FROM mark_${from}`).get()).toEqual({ rows: 0 })
      saved.close()
      expect(statSync(`${path}.before-migration`).mode & 0o777).toBe(0o600)
    }
  })

  test('will not go on with a number that it could only round', async () => {
    const path = freshPath()
    await (await openSqliteStore(path)).close()
    const database = new DatabaseSync(path)
    database.exec('UPDATE networks SET version = 9007199254740993')
    database.close()
    const store = await openSqliteStore(path)
    await expect(store.since(0)).rejects.toThrow(/^The database cannot be used: .*9007199254740993\.$/)
    await store.close()
  })

  test('holds no server for alive that was last seen in what is the future since the clock was set', async () => {
    const path = freshPath()
    const store = await openSqliteStore(path)
    await store.attend('gone')
    const other = new DatabaseSync(path)
    other.exec('UPDATE servers SET seen_at = seen_at + 3600000')
    other.close()
    expect((await store.attend('here')).servers).toEqual(['here'])
    await store.close()
  })

  test('says which migrations are missing without running them', async () => {
    const path = freshPath()
    expect(await missingSqliteSteps(path)).toEqual([
      '001-records',
      '002-policies',
      '003-api-keys',
      '004-audit',
      '005-reservations',
      '006-ssh-checks',
      '007-wide-ids',
      '008-server-key',
    ])
    await (await openSqliteStore(path)).close()
    expect(await missingSqliteSteps(path)).toEqual([])
  })
})
