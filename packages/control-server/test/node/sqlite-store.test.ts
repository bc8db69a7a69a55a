import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { storeContract } from '../../src/contract/index.ts'
import type { NodeRecord } from '../../src/index.ts'
import { SqliteStore } from '../../src/node/index.ts'

const NODE: Omit<NodeRecord, 'id'> = {
  stableId: 'n1',
  machineKey: 'mkey:1',
  nodeKey: 'nodekey:1',
  discoKey: '',
  user: undefined,
  tags: ['tag:a'],
  givenName: 'box',
  ipv4: '100.64.0.1',
  ipv6: 'fd7a:115c:a1e0::40:1',
  expiresAt: undefined,
  registerMethod: 'auth-key',
  preAuthKey: undefined,
  ephemeral: false,
  hostinfo: {},
  endpoints: [],
  approvedRoutes: [],
  capVersion: 138,
  createdAt: 1,
  lastSeen: undefined,
}

const folder = mkdtempSync(join(tmpdir(), 'mesh-store-'))
let files = 0
const freshPath = (): string => join(folder, `${(files += 1)}.sqlite`)

afterAll(() => rmSync(folder, { recursive: true }))

describe('the SQLite store', () => {
  storeContract(test, () => new SqliteStore(freshPath()))

  test('remembers across a close', () => {
    const path = freshPath()
    const first = new SqliteStore(path)
    const user = first.insertUser({ name: 'ann', displayName: 'Ann', createdAt: 1 })
    first.close()
    const second = new SqliteStore(path)
    expect(second.users()).toEqual([user])
    second.close()
  })

  test('brings a file of the first version up to date, keeping what is in it', () => {
    const path = freshPath()
    const first = new SqliteStore(path)
    const node = first.insertNode(NODE)
    first.close()
    const database = new DatabaseSync(path)
    database.exec('ALTER TABLE nodes DROP COLUMN approved_routes; PRAGMA user_version = 1')
    database.close()
    const second = new SqliteStore(path)
    expect(second.nodes()).toEqual([node])
    second.close()
  })

  test('threat 8: keeps its files from other users, also when they were made too open', () => {
    const path = freshPath()
    writeFileSync(path, '')
    chmodSync(path, 0o644)
    const store = new SqliteStore(path)
    store.insertUser({ name: 'ann', displayName: 'Ann', createdAt: 1 })
    for (const file of [path, `${path}-wal`]) expect(statSync(file).mode & 0o777).toBe(0o600)
    store.close()
  })

  test('says in one sentence that a file is no database', () => {
    const path = freshPath()
    writeFileSync(path, 'this is no database, but it is long enough to be looked at as one\n'.repeat(20))
    expect(() => new SqliteStore(path)).toThrow(/cannot be used: file is not a database\.$/)
    expect(readFileSync(path, 'utf8')).toMatch(/^this is no database/)
  })

  test('refuses a file from a later version', () => {
    const path = freshPath()
    const database = new DatabaseSync(path)
    database.exec('PRAGMA user_version = 1000')
    database.close()
    expect(() => new SqliteStore(path)).toThrow(/later version/)
  })
})
