// The tests that every filling of the Store seat passes.

import assert from 'node:assert/strict'
import { ControlError } from '../errors.ts'
import type { NodeRecord, PreAuthKeyRecord, UserRecord } from '../records.ts'
import type { Store } from '../store.ts'

const USER: Omit<UserRecord, 'id'> = { name: 'ann', displayName: 'Ann', createdAt: 1_700_000_000_000 }

function key(change: Partial<PreAuthKeyRecord> = {}): Omit<PreAuthKeyRecord, 'id'> {
  return {
    prefix: '0123456789ab',
    secretHash: Uint8Array.from({ length: 32 }, (_, i) => i),
    user: 1,
    reusable: false,
    ephemeral: false,
    tags: [],
    createdAt: 1_700_000_000_000,
    expiresAt: undefined,
    usedAt: undefined,
    ...change,
  }
}

function node(number: number, change: Partial<NodeRecord> = {}): Omit<NodeRecord, 'id'> {
  return {
    stableId: `n${number}`,
    machineKey: `mkey:${number}`,
    nodeKey: `nodekey:${number}`,
    discoKey: '',
    user: 1,
    tags: [],
    givenName: `box-${number}`,
    ipv4: `100.64.0.${number}`,
    ipv6: `fd7a:115c:a1e0::40:${number}`,
    expiresAt: undefined,
    registerMethod: 'auth-key',
    preAuthKey: undefined,
    ephemeral: false,
    hostinfo: {},
    endpoints: [],
    approvedRoutes: [],
    capVersion: 138,
    createdAt: 1_700_000_000_000,
    lastSeen: undefined,
    ...change,
  }
}

/**
 * Declares the contract's tests.
 *
 * @param test - Declares one test: `test` of the runner in use.
 * @param open - Returns a new, empty store for each test.
 */
export function storeContract(test: (name: string, body: () => void) => void, open: () => Store): void {
  const check = (name: string, body: (store: Store) => void): void => {
    test(name, () => {
      const store = open()
      try {
        body(store)
      } finally {
        store.close()
      }
    })
  }

  check('returns users as they were added, with ids from 1', (store) => {
    const ann = store.insertUser(USER)
    const bob = store.insertUser({ ...USER, name: 'bob' })
    assert.deepEqual([ann.id, bob.id], [1, 2])
    assert.deepEqual(store.users(), [ann, bob])
  })

  check(
    'refuses a second user of the same name, also one like a field of every object (threat 34)',
    (store) => {
      store.insertUser({ ...USER, name: '__proto__' })
      assert.throws(
        () => store.insertUser({ ...USER, name: '__proto__' }),
        hasCode('ERR_CONTROL_USER_EXISTS'),
      )
      assert.equal(store.users().length, 1)
    },
  )

  check('changes a user, but not to the name of another', (store) => {
    const ann = store.insertUser(USER)
    const bob = store.insertUser({ ...USER, name: 'bob' })
    const anna = { ...ann, name: 'anna', displayName: 'Anna' }
    store.updateUser(anna)
    assert.throws(() => store.updateUser({ ...bob, name: 'anna' }), hasCode('ERR_CONTROL_USER_EXISTS'))
    assert.throws(() => store.updateUser({ ...bob, id: 9, name: 'carl' }), hasCode('ERR_CONTROL_STORE'))
    assert.deepEqual(store.users(), [anna, bob])
  })

  check('removes a user with their keys, which nodes of nobody forget, but none who has nodes', (store) => {
    const ann = store.insertUser(USER)
    const bob = store.insertUser({ ...USER, name: 'bob' })
    const used = store.insertPreAuthKey(key({ tags: ['tag:a'] }))
    const other = store.insertPreAuthKey(key({ prefix: 'b', user: bob.id }))
    const tagged = store.insertNode(node(1, { user: undefined, tags: ['tag:a'], preAuthKey: used.id }))
    const owned = store.insertNode(node(2, { user: ann.id }))
    assert.throws(() => store.deleteUser(ann.id), hasCode('ERR_CONTROL_STORE'))
    assert.deepEqual([store.users().length, store.preAuthKeys().length], [2, 2])
    assert.deepEqual(store.nodes(), [tagged, owned])
    store.deleteNode(owned.id)
    assert.equal(store.deleteUser(ann.id), true)
    assert.equal(store.deleteUser(ann.id), false)
    assert.deepEqual([store.users(), store.preAuthKeys()], [[bob], [other]])
    assert.deepEqual(store.nodes(), [{ ...tagged, preAuthKey: undefined }])
  })

  check('returns pre-auth keys as they were added, and by prefix', (store) => {
    store.insertUser(USER)
    const plain = store.insertPreAuthKey(key())
    const full = store.insertPreAuthKey(
      key({
        prefix: 'b',
        reusable: true,
        ephemeral: true,
        user: undefined,
        tags: ['tag:a'],
        expiresAt: 5,
        usedAt: 6,
      }),
    )
    assert.deepEqual(store.preAuthKeys(), [plain, full])
    assert.deepEqual(store.preAuthKeyByPrefix('b'), full)
    assert.equal(store.preAuthKeyByPrefix('c'), undefined)
  })

  check('lets a single-use key be used once (threat 1)', (store) => {
    store.insertUser(USER)
    const { id } = store.insertPreAuthKey(key())
    assert.equal(store.consumePreAuthKey(id, 10), true)
    assert.equal(store.consumePreAuthKey(id, 11), false)
    assert.equal(store.preAuthKeys()[0]?.usedAt, 10)
  })

  check('lets a reusable key be used again, remembering the first time', (store) => {
    store.insertUser(USER)
    const { id } = store.insertPreAuthKey(key({ reusable: true }))
    assert.equal(store.consumePreAuthKey(id, 10), true)
    assert.equal(store.consumePreAuthKey(id, 11), true)
    assert.equal(store.preAuthKeys()[0]?.usedAt, 10)
  })

  check('does not use or expire a key that is not there', (store) => {
    assert.equal(store.consumePreAuthKey(7, 10), false)
    assert.equal(store.expirePreAuthKey(7, 10), false)
  })

  check('expires a key', (store) => {
    store.insertUser(USER)
    const { id } = store.insertPreAuthKey(key())
    assert.equal(store.expirePreAuthKey(id, 99), true)
    assert.equal(store.preAuthKeys()[0]?.expiresAt, 99)
  })

  check('returns nodes as they were added and changed', (store) => {
    store.insertUser(USER)
    const plain = store.insertNode(node(1))
    const full = store.insertNode(
      node(2, {
        user: undefined,
        tags: ['tag:web'],
        discoKey: 'discokey:2',
        expiresAt: 7,
        registerMethod: 'approved',
        ephemeral: true,
        hostinfo: { Hostname: 'box', NetInfo: { PreferredDERP: 900 } },
        endpoints: ['192.0.2.1:41641'],
        approvedRoutes: ['10.0.0.0/8'],
        lastSeen: 8,
      }),
    )
    assert.deepEqual(store.nodes(), [plain, full])
    const changed = { ...plain, nodeKey: 'nodekey:new', lastSeen: 9 }
    store.updateNode(changed)
    assert.deepEqual(store.nodes(), [changed, full])
  })

  check('refuses a node whose key, name or address another node has', (store) => {
    store.insertUser(USER)
    const first = store.insertNode(node(1))
    const second = store.insertNode(node(2))
    for (const field of ['stableId', 'nodeKey', 'givenName', 'ipv4', 'ipv6'] as const) {
      assert.throws(
        () => store.insertNode(node(3, { [field]: first[field] })),
        hasCode('ERR_CONTROL_STORE'),
        field,
      )
      assert.throws(
        () => store.updateNode({ ...second, [field]: first[field] }),
        hasCode('ERR_CONTROL_STORE'),
        field,
      )
    }
    assert.deepEqual(store.nodes(), [first, second])
  })

  check('refuses to change a node that is not there', (store) => {
    assert.throws(
      () => store.updateNode({ ...node(1), id: 1, user: undefined }),
      hasCode('ERR_CONTROL_STORE'),
    )
  })

  check('never gives a deleted id again', (store) => {
    store.insertUser(USER)
    const { id } = store.insertNode(node(1))
    assert.equal(store.deleteNode(id), true)
    assert.equal(store.deleteNode(id), false)
    assert.deepEqual(store.nodes(), [])
    assert.equal(store.insertNode(node(1)).id, id + 1)
  })

  check('undoes every write of a transaction that throws', (store) => {
    store.insertUser(USER)
    const { id } = store.insertPreAuthKey(key())
    const before = store.insertNode(node(1))
    const stop = new Error('stop')
    const work = (): void => {
      store.consumePreAuthKey(id, 10)
      store.insertNode(node(2))
      store.updateNode({ ...before, givenName: 'other' })
      store.insertUser({ ...USER, name: 'bob' })
      throw stop
    }
    assert.throws(() => store.transact(work), stop)
    assert.equal(store.preAuthKeys()[0]?.usedAt, undefined)
    assert.deepEqual(store.nodes(), [before])
    assert.equal(store.users().length, 1)
  })

  check('returns what a transaction returns, and keeps its writes', (store) => {
    const user = store.transact(() => store.transact(() => store.insertUser(USER)))
    assert.deepEqual(store.users(), [user])
  })

  check('closes twice without complaint', (store) => {
    store.close()
  })
}

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof ControlError && error.code === code
}
