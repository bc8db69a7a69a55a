// The tests that every filling of the Store seat passes.

import assert from 'node:assert/strict'
import { MAX_NODE_ENTRIES } from '../audit.ts'
import type { Actor, AuditEntry, AuditQuery } from '../audit.ts'
import { ControlError } from '../errors.ts'
import { KINDS } from '../records.ts'
import type {
  ApiKeyRecord,
  Kind,
  LoginRecord,
  NodeRecord,
  PreAuthKeyRecord,
  Records,
  UserRecord,
} from '../records.ts'
import { NOTHING } from '../state.ts'
import type { Counters, News, Store, Writes } from '../store.ts'

/** What a contract is tried on. */
export interface StoreUnderTest {
  /** An empty store. */
  readonly store: Store
  /** Opens the same records once more, as another server would; left out when only one server may have them. */
  readonly again?: () => Promise<Store>
}

type Body = (store: Store, again: (() => Promise<Store>) | undefined) => Promise<void>

/**
 * Declares the contract's tests.
 *
 * @param test - Declares one test: `test` of the runner in use.
 * @param open - Opens a new, empty store for each test.
 */
export function storeContract(
  test: (name: string, body: () => Promise<void>) => void,
  open: () => Promise<StoreUnderTest>,
): void {
  const check = (name: string, body: Body): void => {
    test(name, async () => {
      const { store, again } = await open()
      try {
        await body(store, again)
      } finally {
        await store.close()
      }
    })
  }

  check('begins with nothing, at version 0', async (store) => {
    const news = await store.since(0)
    assert.deepEqual([news.version, news.whole, sizes(news)], [0, true, {}])
    assert.deepEqual(news.counters, COUNTERS)
  })

  check('gives records back as they were written, whatever they leave out', async (store) => {
    const records = {
      users: [user(1), user(2, { name: '__proto__', displayName: '"\'\n\u{1f600}' })],
      preAuthKeys: [key(1), key(2, { user: undefined, tags: ['tag:a'], expiresAt: 5, usedAt: 6 })],
      nodes: [node(1), FULL_NODE],
      logins: [login(1)],
      policies: [{ id: 1, text: '{}', createdAt: 1 }],
      apiKeys: [apiKey(1), apiKey(2, { expiresAt: 5 })],
      reservations: [
        { id: 1, ipv4: '100.64.0.9', ipv6: 'fd7a:115c:a1e0::40:9', holder: 'nas', createdAt: 1 },
      ],
      sshChecks: [
        { id: 1, key: 'a', from: 1, to: 2, localUser: 'ann', askedAt: 1, acceptedAt: undefined },
        { id: 2, key: 'b', from: 2, to: 1, localUser: 'root', askedAt: 1, acceptedAt: 5 },
      ],
    }
    assert.equal(await store.transact(0, () => writes(records)), 1)
    const news = await store.since(0)
    for (const kind of KINDS) assert.deepEqual([...(news.changes[kind]?.values() ?? [])], records[kind], kind)
  })

  check('tells what changed since a version, deletions too, and nothing else', async (store) => {
    await store.transact(0, () => writes({ users: [user(1)], nodes: [node(1), node(2), node(3)] }))
    await store.transact(1, () => writes({ nodes: [node(4)] }))
    await store.transact(2, () => ({
      changes: {
        nodes: new Map([
          [2, undefined],
          [3, node(3, { endpoints: ['192.0.2.1:1'] })],
        ]),
      },
      counters: COUNTERS,
    }))
    const news = await store.since(2)
    assert.deepEqual([news.version, news.whole], [3, false])
    assert.deepEqual(
      new Map(news.changes.nodes),
      new Map([
        [2, undefined],
        [3, node(3, { endpoints: ['192.0.2.1:1'] })],
      ]),
    )
    assert.equal(news.changes.users?.size ?? 0, 0)
    assert.deepEqual([...((await store.since(0)).changes.nodes?.keys() ?? [])], [1, 3, 4])
    assert.deepEqual(sizes(await store.since(3)), {})
    assert.equal((await store.since(-1)).whole, true)
    // As after a database was put back to an older state.
    const later = await store.since(4)
    assert.deepEqual(
      [later.version, later.whole, [...(later.changes.nodes?.keys() ?? [])]],
      [3, true, [1, 3, 4]],
    )
  })

  check('tells who decides what others wrote, and nothing when they wrote nothing', async (store) => {
    await store.transact(0, () => writes({ users: [user(1)] }))
    const heard: (News | undefined)[] = []
    const note = (news: News | undefined): undefined => void heard.push(news)
    assert.equal(await store.transact(1, note), 1)
    assert.equal(await store.transact(0, note), 1)
    assert.deepEqual([heard[0], heard[1]?.version, sizes(heard[1] as News)], [undefined, 1, { users: 1 }])
  })

  check('writes nothing when nothing is to be written, or deciding throws', async (store) => {
    await store.transact(0, () => writes({ users: [user(1)] }))
    assert.equal(await store.transact(1, () => undefined), 1)
    const stop = new Error('stop')
    await assert.rejects(
      store.transact(1, () => {
        throw stop
      }),
      stop,
    )
    assert.equal((await store.since(0)).version, 1)
  })

  check(
    'writes all of a transaction or nothing: two nodes never share what only one may have',
    async (store) => {
      await store.transact(0, () => writes({ nodes: [node(1), node(2)] }))
      for (const field of ['stableId', 'nodeKey', 'givenName', 'ipv4', 'ipv6'] as const) {
        const clash = node(3, { [field]: node(1)[field] })
        const attempt = store.transact(1, () => writes({ users: [user(1)], nodes: [clash] }))
        await assert.rejects(attempt, hasCode('ERR_CONTROL_CONFLICT'), field)
      }
      const twins = [user(1), user(2, { name: user(1).name })]
      await assert.rejects(
        store.transact(1, () => writes({ users: twins })),
        hasCode('ERR_CONTROL_CONFLICT'),
      )
      const news = await store.since(0)
      assert.deepEqual([news.version, sizes(news)], [1, { nodes: 2 }])
    },
  )

  check('lets two nodes swap their names in one transaction', async (store) => {
    await store.transact(0, () => writes({ nodes: [node(1), node(2)] }))
    const swapped = [node(1, { givenName: 'box-2' }), node(2, { givenName: 'box-1' })]
    await store.transact(1, () => writes({ nodes: swapped }))
    assert.deepEqual([...((await store.since(1)).changes.nodes?.values() ?? [])], swapped)
  })

  check('takes more records at once than one statement holds', async (store) => {
    const nodes = Array.from({ length: 1201 }, (_, i) => node(i + 1))
    await store.transact(0, () => writes({ nodes }))
    assert.deepEqual([...((await store.since(0)).changes.nodes?.values() ?? [])], nodes)
    const gone = new Map(nodes.map(({ id }) => [id, undefined]))
    await store.transact(1, () => ({ changes: { nodes: gone }, counters: COUNTERS }))
    assert.deepEqual(sizes(await store.since(0)), {})
    assert.equal((await store.since(1)).changes.nodes?.size, 1201)
  })

  check('keeps what is counted up', async (store) => {
    const counters = { ...COUNTERS, users: 7, preAuthKeys: 8, nodes: 9, address: 11, apiKeys: 12 }
    await store.transact(0, () => ({ changes: {}, counters }))
    assert.deepEqual((await store.since(0)).counters, counters)
  })

  check('adds to the audit log with what it writes, or not at all', async (store) => {
    const { counters } = writes({})
    const add = (at: number, name: string, keepSince = 0): Writes => {
      return { changes: {}, counters, audit: { entries: [auditEntry(at, name)], keepSince } }
    }
    await store.transact(0, () => ({ ...add(10, 'a'), ...writes({ users: [user(1)] }) }))
    await store.transact(1, () => add(20, 'b'))
    const failing = { ...add(30, 'c'), changes: writes({ users: [user(2, { name: 'user-1' })] }).changes }
    await assert.rejects(
      store.transact(2, () => failing),
      hasCode('ERR_CONTROL_CONFLICT'),
    )
    const names = async (query: AuditQuery): Promise<string[]> =>
      (await store.audit(query)).map(({ actor }) => actor.name)
    assert.deepEqual(await names({ limit: 10 }), ['a', 'b'])
    assert.deepEqual(await names({ limit: 1 }), ['b'])
    assert.deepEqual(await names({ since: 11, limit: 10 }), ['b'])
    assert.deepEqual(await store.audit({ limit: 1 }), [auditEntry(20, 'b')])
    await store.transact(2, () => add(40, 'd', 15))
    assert.deepEqual(await names({ limit: 10 }), ['b', 'd'])
  })

  check('keeps what people did however much nodes do', async (store) => {
    const entries = Array.from({ length: 300 }, (_, i) => auditEntry(i, `node-${i}`, 'node'))
    const audit = { entries: [auditEntry(0, 'ann'), ...entries], keepSince: 0 }
    const rounds = Math.ceil(MAX_NODE_ENTRIES / entries.length) + 1
    for (let version = 0; version < rounds; version += 1)
      await store.transact(version, () => ({ changes: {}, counters: COUNTERS, audit }))
    const kept = await store.audit({ limit: 2 * MAX_NODE_ENTRIES })
    assert.equal(kept.filter(({ actor }) => actor.name === 'ann').length, rounds)
    const byNodes = kept.filter(({ actor }) => actor.kind === 'node').length
    assert.ok(byNodes <= MAX_NODE_ENTRIES && byNodes > MAX_NODE_ENTRIES - entries.length, String(byNodes))
  })

  check(
    'threat 1: of fifty transactions that find a single-use key unused, one does',
    async (store, again) => {
      await store.transact(0, () => writes({ preAuthKeys: [key(1)] }))
      const stores = again ? [store, await again(), await again()] : [store]
      const attempts = Array.from({ length: 50 }, async (_, i) => {
        let won = false
        await (stores[i % stores.length] as Store).transact(-1, (news) => {
          const found = news?.changes.preAuthKeys?.get(1) as PreAuthKeyRecord
          won = found.usedAt === undefined
          return won ? writes({ preAuthKeys: [{ ...found, usedAt: i }] }) : undefined
        })
        return won
      })
      const winners = (await Promise.all(attempts)).filter(Boolean)
      for (const other of stores.slice(1)) await other.close()
      assert.equal(winners.length, 1)
    },
  )

  check('knows which servers are alive', async (store, again) => {
    assert.deepEqual(await store.attend('a'), { servers: ['a'], version: 0 })
    const other = await again?.()
    if (!other) return
    await store.transact(0, () => writes({ users: [user(1)] }))
    assert.deepEqual(await other.attend('b'), { servers: ['a', 'b'], version: 1 })
    await store.leave('a')
    assert.deepEqual(await other.attend('b'), { servers: ['b'], version: 1 })
    await other.close()
  })

  check('tells whoever watches within a second which version was written elsewhere', async (store, again) => {
    const other = await again?.()
    if (!other) return
    const heard: (number | undefined)[] = []
    const unwatch = other.watch((version) => void heard.push(version))
    // One that begins to listen may have missed some.
    await until(() => heard[0] === undefined && (heard.length > 0 || other === store))
    heard.length = 0
    for (const name of ['ann', 'bob']) await store.transact(-1, () => writes({ users: [user(1, { name })] }))
    await until(() => heard.length === 2)
    assert.deepEqual(heard, [1, 2])
    assert.equal((await other.since(0)).version, 2)
    unwatch()
    await other.close()
  })

  check('counts on where 32 bits end, as far as a number goes', async (store) => {
    const [big, next] = [2 ** 31, Number.MAX_SAFE_INTEGER]
    const counters = { ...COUNTERS, users: next }
    await store.transact(0, () => ({ ...writes({ users: [user(big), user(next)] }), counters }))
    await store.transact(1, () => ({ changes: { users: new Map([[big, undefined]]) }, counters }))
    const news = await store.since(1)
    assert.deepEqual([...(news.changes.users ?? [])], [[big, undefined]])
    assert.deepEqual([...((await store.since(0)).changes.users?.values() ?? [])], [user(next)])
    assert.equal(news.counters.users, next)
  })

  check(
    'is bound to one key of a server, whoever comes next, until it is taken over',
    async (store, again) => {
      const other = (await again?.()) ?? store
      const first = await Promise.all([store.claim('mkey:a', false), other.claim('mkey:b', false)])
      assert.equal(new Set(first).size, 1)
      const [bound] = first
      assert.equal(await other.claim('mkey:c', false), bound)
      assert.equal(await other.claim('mkey:c', true), 'mkey:c')
      assert.equal(await store.claim(bound, false), 'mkey:c')
      if (other !== store) await other.close()
    },
  )

  check('closes twice without complaint', async (store) => {
    await store.close()
  })
}

const COUNTERS: Counters = NOTHING.counters

function writes(records: { readonly [K in Kind]?: readonly Records[K][] }): Writes {
  const entries = Object.entries(records).map(([kind, list]) => {
    return [kind, new Map((list as readonly { readonly id: number }[]).map((each) => [each.id, each]))]
  })
  return { changes: Object.fromEntries(entries) as Writes['changes'], counters: COUNTERS }
}

/** Returns how many records of each kind changed, without the kinds of which none did. */
function sizes({ changes }: News): Partial<Record<Kind, number>> {
  const entries = KINDS.map((kind) => [kind, changes[kind]?.size ?? 0] as const)
  return Object.fromEntries(entries.filter(([, size]) => size > 0))
}

function auditEntry(at: number, name: string, kind: Actor['kind'] = 'user'): AuditEntry {
  return { at, actor: { kind, name }, action: 'change', subject: 'node 1 (box)', after: { name: 'x' } }
}

function user(id: number, change: Partial<UserRecord> = {}): UserRecord {
  return { id, name: `user-${id}`, displayName: 'Ann', createdAt: 1_700_000_000_000, ...change }
}

function key(id: number, change: Partial<PreAuthKeyRecord> = {}): PreAuthKeyRecord {
  return {
    id,
    prefix: `prefix${id}`,
    secretHash: Uint8Array.from({ length: 32 }, (_, i) => i * 8),
    user: 1,
    reusable: false,
    ephemeral: false,
    preApproved: false,
    tags: [],
    createdAt: 1_700_000_000_000,
    expiresAt: undefined,
    usedAt: undefined,
    ...change,
  }
}

function apiKey(id: number, change: Partial<ApiKeyRecord> = {}): ApiKeyRecord {
  const { prefix, secretHash, createdAt, expiresAt } = key(id)
  return { id, prefix, secretHash, createdAt, expiresAt, ...change }
}

function node(id: number, change: Partial<NodeRecord> = {}): NodeRecord {
  return {
    id,
    stableId: `n${id}`,
    machineKey: `mkey:${id}`,
    nodeKey: `nodekey:${id}`,
    discoKey: '',
    user: 1,
    tags: [],
    givenName: `box-${id}`,
    ipv4: `100.64.0.${id}`,
    ipv6: `fd7a:115c:a1e0::40:${id}`,
    expiresAt: undefined,
    registerMethod: 'auth-key',
    preAuthKey: undefined,
    approved: true,
    ephemeral: false,
    hostinfo: {},
    endpoints: [],
    approvedRoutes: [],
    primaryRoutes: [],
    capVersion: 138,
    createdAt: 1_700_000_000_000,
    lastSeen: undefined,
    connectedTo: undefined,
    ...change,
  }
}

const FULL_NODE = node(2, {
  user: undefined,
  tags: ['tag:web'],
  discoKey: 'discokey:2',
  expiresAt: 7,
  registerMethod: 'approved',
  preAuthKey: 3,
  ephemeral: true,
  hostinfo: { Hostname: 'box', NetInfo: { PreferredDERP: 900 } },
  endpoints: ['192.0.2.1:41641'],
  approvedRoutes: ['10.0.0.0/8'],
  primaryRoutes: ['10.0.0.0/8'],
  lastSeen: 8,
  connectedTo: 'server',
})

function login(id: number): LoginRecord {
  return {
    id,
    key: '0'.repeat(31) + String(id),
    machineKey: 'mkey:1',
    request: {
      Version: 138,
      NodeKey: `nodekey:${'1'.repeat(64)}`,
      OldNodeKey: `nodekey:${'0'.repeat(64)}`,
      Expiry: '0001-01-01T00:00:00Z',
      Hostinfo: { Hostname: 'box' },
      Followup: '',
      NodeKeySignature: null,
    },
    askedAt: 9,
    refused: false,
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 1000; !condition(); await new Promise((resolve) => setTimeout(resolve, 5)))
    assert.ok(Date.now() < end, 'it took more than a second')
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof ControlError && error.code === code
}
