// The tables, for both engines. What the database enforces or looks up is a column; the record itself is one JSON
// document beside it, so that a new field is no new schema. Every row carries the version that wrote it: what changed
// since a version is one indexed question. Everything hangs on a network, of which a database may hold several.

import { type Kysely, PostgresAdapter } from 'kysely'
import type { Migration } from 'kysely/migration'
import type { Kind, Records } from '../records.ts'

/** What every table of records has. */
export interface RecordRow {
  network_id: number
  id: number
  version: number
  record: string
}

/** The tables by name. */
export interface Tables {
  networks: {
    id: number
    name: string
    version: number
    oldest: number
    counters: string
    server_key: string | null
  }
  servers: { network_id: number; name: string; seen_at: number }
  gone: { network_id: number; kind: string; id: number; version: number }
  users: RecordRow & { name: string }
  pre_auth_keys: RecordRow & { prefix: string }
  nodes: RecordRow & {
    stable_id: string
    machine_key: string
    node_key: string
    given_name: string
    ipv4: string
    ipv6: string
  }
  logins: RecordRow & { login_key: string }
  policies: RecordRow
  api_keys: RecordRow & { prefix: string }
  reservations: RecordRow & { ipv4: string; holder: string }
  ssh_checks: RecordRow & { check_key: string }
  audit: { network_id: number; version: number; seq: number; at: number; by_node: number; entry: string }
}

/** The name of a table of records. */
export type RecordTable =
  | 'users'
  | 'pre_auth_keys'
  | 'nodes'
  | 'logins'
  | 'policies'
  | 'api_keys'
  | 'reservations'
  | 'ssh_checks'

/** Where the records of each kind are. */
export const TABLE_OF: Readonly<Record<Kind, RecordTable>> = {
  users: 'users',
  preAuthKeys: 'pre_auth_keys',
  nodes: 'nodes',
  logins: 'logins',
  policies: 'policies',
  apiKeys: 'api_keys',
  reservations: 'reservations',
  sshChecks: 'ssh_checks',
}

/** The names of all tables. */
export const TABLE_NAMES: readonly (keyof Tables)[] = [
  'networks',
  'servers',
  'gone',
  'audit',
  ...Object.values(TABLE_OF),
]

/** What of a record is a column of its own. */
export const COLUMNS_OF: { readonly [K in Kind]: (record: Records[K]) => Readonly<Record<string, string>> } =
  {
    users: ({ name }) => ({ name }),
    preAuthKeys: ({ prefix }) => ({ prefix }),
    nodes: (node) => ({
      stable_id: node.stableId,
      machine_key: node.machineKey,
      node_key: node.nodeKey,
      given_name: node.givenName,
      ipv4: node.ipv4,
      ipv6: node.ipv6,
    }),
    logins: ({ key }) => ({ login_key: key }),
    policies: () => ({}),
    apiKeys: ({ prefix }) => ({ prefix }),
    reservations: ({ ipv4, holder }) => ({ ipv4, holder }),
    sshChecks: ({ key }) => ({ check_key: key }),
  }

/** The columns of each table that are looked up, and those that no two rows of a network share. */
const LAYOUT: Readonly<
  Record<RecordTable, { readonly unique: readonly string[]; readonly plain: readonly string[] }>
> = {
  users: { unique: ['name'], plain: [] },
  pre_auth_keys: { unique: ['prefix'], plain: [] },
  nodes: { unique: ['stable_id', 'node_key', 'given_name', 'ipv4', 'ipv6'], plain: ['machine_key'] },
  logins: { unique: ['login_key'], plain: [] },
  policies: { unique: [], plain: [] },
  api_keys: { unique: ['prefix'], plain: [] },
  reservations: { unique: ['ipv4', 'holder'], plain: [] },
  ssh_checks: { unique: ['check_key'], plain: [] },
}

/** The tables of records that there were from the beginning. */
const FIRST_TABLES: readonly RecordTable[] = ['users', 'pre_auth_keys', 'nodes', 'logins']

/** The steps from an empty database to this version's, by name and in the order of their names. */
export const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '001-records': { up: makeTables },
  '002-policies': { up: (database: Kysely<never>) => makeRecordTable(database, 'policies') },
  '003-api-keys': { up: (database: Kysely<never>) => makeRecordTable(database, 'api_keys') },
  '004-audit': { up: makeAudit },
  '005-reservations': { up: (database: Kysely<never>) => makeRecordTable(database, 'reservations') },
  '006-ssh-checks': { up: (database: Kysely<never>) => makeRecordTable(database, 'ssh_checks') },
  '007-wide-ids': { up: widenIds },
  '008-server-key': { up: addServerKey },
}

async function makeTables(database: Kysely<never>): Promise<void> {
  const { schema } = database as unknown as Kysely<Tables>
  await schema
    .createTable('networks')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('oldest', 'bigint', (column) => column.notNull())
    .addColumn('counters', 'text', (column) => column.notNull())
    .execute()
  await schema
    .createTable('servers')
    .addColumn('network_id', 'integer', (column) => column.notNull().references('networks.id'))
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('seen_at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('servers_pkey', ['network_id', 'name'])
    .execute()
  await schema
    .createTable('gone')
    .addColumn('network_id', 'integer', (column) => column.notNull().references('networks.id'))
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('id', 'integer', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('gone_pkey', ['network_id', 'kind', 'id'])
    .execute()
  await schema.createIndex('gone_version').on('gone').columns(['network_id', 'version']).execute()
  for (const table of FIRST_TABLES) await makeRecordTable(database, table)
}

/** Entries are only ever added, and dropped from the oldest on. */
async function makeAudit(database: Kysely<never>): Promise<void> {
  const { schema } = database as unknown as Kysely<Tables>
  await schema
    .createTable('audit')
    .addColumn('network_id', 'integer', (column) => column.notNull().references('networks.id'))
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('seq', 'integer', (column) => column.notNull())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('by_node', 'integer', (column) => column.notNull())
    .addColumn('entry', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('audit_pkey', ['network_id', 'version', 'seq'])
    .execute()
  await schema.createIndex('audit_at').on('audit').columns(['network_id', 'at']).execute()
  await schema
    .createIndex('audit_by_node')
    .on('audit')
    .columns(['network_id', 'by_node', 'version'])
    .execute()
}

async function makeRecordTable(database: Kysely<never>, table: RecordTable): Promise<void> {
  const { unique, plain } = LAYOUT[table]
  const { schema } = database as unknown as Kysely<Tables>
  let builder = schema
    .createTable(table)
    .addColumn('network_id', 'integer', (column) => column.notNull().references('networks.id'))
    .addColumn('id', 'integer', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('record', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint(`${table}_pkey`, ['network_id', 'id'])
  for (const name of [...unique, ...plain])
    builder = builder.addColumn(name as never, 'text', (column) => column.notNull())
  for (const name of unique)
    builder = builder.addUniqueConstraint(`${table}_${name}`, ['network_id', name as never])
  await builder.execute()
  await schema
    .createIndex(`${table}_version`)
    .on(table)
    .columns(['network_id', 'version'] as never)
    .execute()
}

/** What the first six steps made as numbers of 32 bits, by table. */
const NARROW: readonly (readonly [table: keyof Tables, columns: readonly string[]])[] = [
  ['networks', ['id']],
  ['servers', ['network_id']],
  ['gone', ['network_id', 'id']],
  ['audit', ['network_id', 'seq']],
  ...Object.values(TABLE_OF).map((table) => [table, ['network_id', 'id']] as const),
]

/** Ids are never used twice, so they outgrow 32 bits in time. In SQLite every integer has 64 already. */
async function widenIds(database: Kysely<never>): Promise<void> {
  if (!(database.getExecutor().adapter instanceof PostgresAdapter)) return
  for (const [table, columns] of NARROW) {
    const [first, ...more] = columns as readonly [string, ...string[]]
    const change = database.schema
      .alterTable(table)
      .alterColumn(first, (column) => column.setDataType('bigint'))
    await more
      .reduce((all, name) => all.alterColumn(name, (column) => column.setDataType('bigint')), change)
      .execute()
  }
}

/** The key of the servers that serve a network; nothing until the first of them comes. */
async function addServerKey(database: Kysely<never>): Promise<void> {
  await database.schema.alterTable('networks').addColumn('server_key', 'text').execute()
}
