// The Store seat filled with one SQLite file. WAL with full synchronisation: a transaction that returned is on disk, and
// a process killed between two statements leaves none of a half transaction behind.

import { chmodSync, closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import { decodeHostinfo } from '@mesh/wire/control'
import { ControlError } from '../errors.ts'
import type { ControlErrorCode } from '../errors.ts'
import type { NodeRecord, PreAuthKeyRecord, UserRecord } from '../records.ts'
import type { Store } from '../store.ts'
import { migrate } from './schema.ts'

type Row = Record<string, SQLOutputValue>

const INSERT_USER = 'INSERT INTO users (name, display_name, created_at) VALUES (?, ?, ?)'
const UPDATE_USER = 'UPDATE users SET name = ?, display_name = ?, created_at = ? WHERE id = ?'
const FORGET_KEYS = `UPDATE nodes SET pre_auth_key_id = NULL
  WHERE pre_auth_key_id IN (SELECT id FROM pre_auth_keys WHERE user_id = ?)`
const INSERT_KEY = `INSERT INTO pre_auth_keys
  (prefix, secret_hash, user_id, reusable, ephemeral, tags, created_at, expires_at, used_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`
const CONSUME_KEY = `UPDATE pre_auth_keys SET used_at = coalesce(used_at, ?)
  WHERE id = ? AND (reusable = 1 OR used_at IS NULL)`
const NODE_COLUMNS = [
  'stable_id',
  'machine_key',
  'node_key',
  'disco_key',
  'user_id',
  'tags',
  'given_name',
  'ipv4',
  'ipv6',
  'expires_at',
  'register_method',
  'pre_auth_key_id',
  'ephemeral',
  'hostinfo',
  'endpoints',
  'cap_version',
  'created_at',
  'last_seen',
  'approved_routes',
] as const
const INSERT_NODE = `INSERT INTO nodes (${NODE_COLUMNS.join(', ')}) VALUES (${NODE_COLUMNS.map(() => '?').join(', ')})`
const UPDATE_NODE = `UPDATE nodes SET ${NODE_COLUMNS.map((column) => `${column} = ?`).join(', ')} WHERE id = ?`

/** How long to wait for another process that holds the file, milliseconds. */
const BUSY_TIMEOUT = 5000

/** Remembers everything in one file. */
export class SqliteStore implements Store {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()
  #depth = 0

  /**
   * Opens the file, makes it (mode 0600) when there is none, and brings its tables up to date.
   *
   * @param path - A file's path, or `:memory:`.
   * @throws ControlError `ERR_CONTROL_STORE` when the file cannot be used, or was written by a later version.
   */
  constructor(path: string) {
    try {
      if (path !== ':memory:') keepPrivate(path)
      this.#database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT })
      this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON')
      migrate(this.#database)
    } catch (cause) {
      if (cause instanceof ControlError) throw cause
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new ControlError('ERR_CONTROL_STORE', `The database ${path} cannot be used: ${reason}.`, {
        cause,
      })
    }
  }

  /** Runs `work` as one transaction. */
  transact<T>(work: () => T): T {
    if (this.#depth > 0) return work()
    this.#database.exec('BEGIN IMMEDIATE')
    this.#depth += 1
    try {
      const result = work()
      this.#database.exec('COMMIT')
      return result
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    } finally {
      this.#depth -= 1
    }
  }

  /** Returns all users. */
  users(): UserRecord[] {
    return this.#all('SELECT * FROM users ORDER BY id').map(toUser)
  }

  /** Adds a user. */
  insertUser(user: Omit<UserRecord, 'id'>): UserRecord {
    const { name, displayName, createdAt } = user
    const insert = (): number => this.#insert(INSERT_USER, name, displayName, createdAt)
    return { ...user, id: refusing(insert, 'ERR_CONTROL_USER_EXISTS', nameTaken(name)) }
  }

  /** Replaces a user. */
  updateUser({ id, name, displayName, createdAt }: UserRecord): void {
    const update = (): boolean => this.#change(UPDATE_USER, name, displayName, createdAt, id)
    const found = refusing(update, 'ERR_CONTROL_USER_EXISTS', nameTaken(name))
    if (!found) throw new ControlError('ERR_CONTROL_STORE', `There is no user ${id}.`)
  }

  /** Removes a user. */
  deleteUser(id: number): boolean {
    const remove = (): boolean => {
      this.#change(FORGET_KEYS, id)
      this.#change('DELETE FROM pre_auth_keys WHERE user_id = ?', id)
      return this.#change('DELETE FROM users WHERE id = ?', id)
    }
    return this.transact(() => refusing(remove, 'ERR_CONTROL_STORE', `User ${id} has nodes.`))
  }

  /** Returns all pre-auth keys. */
  preAuthKeys(): PreAuthKeyRecord[] {
    return this.#all('SELECT * FROM pre_auth_keys ORDER BY id').map(toKey)
  }

  /** Returns the pre-auth key with this prefix. */
  preAuthKeyByPrefix(prefix: string): PreAuthKeyRecord | undefined {
    return this.#all('SELECT * FROM pre_auth_keys WHERE prefix = ?', prefix).map(toKey)[0]
  }

  /** Adds a pre-auth key. */
  insertPreAuthKey(key: Omit<PreAuthKeyRecord, 'id'>): PreAuthKeyRecord {
    const id = this.#insert(
      INSERT_KEY,
      key.prefix,
      key.secretHash,
      key.user ?? null,
      Number(key.reusable),
      Number(key.ephemeral),
      JSON.stringify(key.tags),
      key.createdAt,
      key.expiresAt ?? null,
      key.usedAt ?? null,
    )
    return { ...key, id }
  }

  /** Marks a key used if it may be used. */
  consumePreAuthKey(id: number, at: number): boolean {
    return this.#change(CONSUME_KEY, at, id)
  }

  /** Makes a key expire. */
  expirePreAuthKey(id: number, at: number): boolean {
    return this.#change('UPDATE pre_auth_keys SET expires_at = ? WHERE id = ?', at, id)
  }

  /** Returns all nodes. */
  nodes(): NodeRecord[] {
    return this.#all('SELECT * FROM nodes ORDER BY id').map(toNode)
  }

  /** Adds a node. */
  insertNode(node: Omit<NodeRecord, 'id'>): NodeRecord {
    const insert = (): number => this.#insert(INSERT_NODE, ...nodeValues(node))
    return { ...node, id: refusing(insert, 'ERR_CONTROL_STORE', DOUBLE) }
  }

  /** Replaces a node. */
  updateNode(node: NodeRecord): void {
    const update = (): boolean => this.#change(UPDATE_NODE, ...nodeValues(node), node.id)
    const found = refusing(update, 'ERR_CONTROL_STORE', DOUBLE)
    if (!found) throw new ControlError('ERR_CONTROL_STORE', `There is no node ${node.id}.`)
  }

  /** Removes a node. */
  deleteNode(id: number): boolean {
    return this.#change('DELETE FROM nodes WHERE id = ?', id)
  }

  /** Closes the file. Idempotent. */
  close(): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#prepare(sql).all(...values)
  }

  #insert(sql: string, ...values: SQLInputValue[]): number {
    return Number(this.#prepare(sql).run(...values).lastInsertRowid)
  }

  #change(sql: string, ...values: SQLInputValue[]): boolean {
    return Number(this.#prepare(sql).run(...values).changes) > 0
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#database.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }
}

/** SQLite would make the file readable by all; its WAL takes over the file's mode. */
function keepPrivate(path: string): void {
  closeSync(openSync(path, 'a', 0o600))
  chmodSync(path, 0o600)
}

const DOUBLE = 'Another node has this key, name or address already.'

function nameTaken(name: string): string {
  return `There is a user named ${name} already.`
}

/** Runs a write; what the tables forbid comes out as the given refusal. */
function refusing<T>(write: () => T, code: ControlErrorCode, message: string): T {
  try {
    return write()
  } catch (cause) {
    if (!isConstraint(cause)) throw cause
    throw new ControlError(code, message, { cause })
  }
}

function isConstraint(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 19
}

function nodeValues(node: Omit<NodeRecord, 'id'>): SQLInputValue[] {
  return [
    node.stableId,
    node.machineKey,
    node.nodeKey,
    node.discoKey,
    node.user ?? null,
    JSON.stringify(node.tags),
    node.givenName,
    node.ipv4,
    node.ipv6,
    node.expiresAt ?? null,
    node.registerMethod,
    node.preAuthKey ?? null,
    Number(node.ephemeral),
    JSON.stringify(node.hostinfo),
    JSON.stringify(node.endpoints),
    node.capVersion,
    node.createdAt,
    node.lastSeen ?? null,
    JSON.stringify(node.approvedRoutes),
  ]
}

function toUser(row: Row): UserRecord {
  return {
    id: Number(row['id']),
    name: String(row['name']),
    displayName: String(row['display_name']),
    createdAt: Number(row['created_at']),
  }
}

function toKey(row: Row): PreAuthKeyRecord {
  return {
    id: Number(row['id']),
    prefix: String(row['prefix']),
    secretHash: new Uint8Array(row['secret_hash'] as Uint8Array),
    user: optionalNumber(row['user_id']),
    reusable: row['reusable'] === 1,
    ephemeral: row['ephemeral'] === 1,
    tags: toTexts(row['tags']),
    createdAt: Number(row['created_at']),
    expiresAt: optionalNumber(row['expires_at']),
    usedAt: optionalNumber(row['used_at']),
  }
}

function toNode(row: Row): NodeRecord {
  return {
    id: Number(row['id']),
    stableId: String(row['stable_id']),
    machineKey: String(row['machine_key']),
    nodeKey: String(row['node_key']),
    discoKey: String(row['disco_key']),
    user: optionalNumber(row['user_id']),
    tags: toTexts(row['tags']),
    givenName: String(row['given_name']),
    ipv4: String(row['ipv4']),
    ipv6: String(row['ipv6']),
    expiresAt: optionalNumber(row['expires_at']),
    registerMethod: row['register_method'] === 'approved' ? 'approved' : 'auth-key',
    preAuthKey: optionalNumber(row['pre_auth_key_id']),
    ephemeral: row['ephemeral'] === 1,
    hostinfo: decodeHostinfo(JSON.parse(String(row['hostinfo']))) ?? {},
    endpoints: toTexts(row['endpoints']),
    capVersion: Number(row['cap_version']),
    createdAt: Number(row['created_at']),
    lastSeen: optionalNumber(row['last_seen']),
    approvedRoutes: toTexts(row['approved_routes']),
  }
}

function optionalNumber(value: SQLOutputValue | undefined): number | undefined {
  return value === null || value === undefined ? undefined : Number(value)
}

function toTexts(value: SQLOutputValue | undefined): string[] {
  const texts: unknown = JSON.parse(String(value))
  return Array.isArray(texts) ? texts.map(String) : []
}
