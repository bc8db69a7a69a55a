// The Store seat in PostgreSQL, for several servers that serve one network. What one of them writes all hear of by NOTIFY,
// sent in the transaction and so delivered when it commits; by its version whoever knows it already does not look. A notification may be missed while the
// connection that listens is down: it is made anew, and then everybody looks. A connection may also be dead without a word,
// when a firewall forgot it or the host behind it is another: one that once does not answer in time is not used again.

import { reasonOf } from '@mesh/sansio/node'
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient, sql } from 'kysely'
import pg from 'pg'
import { ControlError } from '../errors.ts'
import type { Store, StoreListener } from '../store.ts'
import { migrate, missingSteps } from './migrate.ts'
import { SqlStore } from './sql-store.ts'
import type { SqlEngine } from './sql-store.ts'
import { DEFAULT_NETWORK } from './sqlite-store.ts'
import { TABLE_NAMES } from './sql-tables.ts'
import type { Tables } from './sql-tables.ts'

const CHANNEL = 'mesh_control'
/** One at a time writes; the others read, and say that this server is alive. */
const MAX_CONNECTIONS = 4
/** How long anything of the database may take, milliseconds: map streams wait for it. */
const TIMEOUTS = {
  connectionTimeoutMillis: 5000,
  query_timeout: 10_000,
  statement_timeout: 8000,
  idle_in_transaction_session_timeout: 8000,
} as const
/** How often the connection that listens is asked whether it is there, milliseconds, and how long that may take. */
const HEARTBEAT = 5000
/** How long to wait before the connection that listens is made anew, milliseconds. */
const RETRY_AFTER = 500

/** How a network in PostgreSQL is opened. */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  /** Which of the networks in the database; one named `default` when left out. */
  readonly network?: string
  /** Saves what is in the tables before a migration changes them: called with all rows, by table. */
  readonly onMigration?: (rows: Readonly<Record<string, readonly object[]>>) => Promise<void>
}

/**
 * Opens a network in a PostgreSQL database, and brings the tables up to date.
 *
 * @throws ControlError `ERR_CONTROL_STORE` when the database cannot be reached, or was written by a later version.
 */
export async function openPostgresStore(options: PostgresOptions): Promise<Store> {
  const { url, network = DEFAULT_NETWORK, onMigration } = options
  const database = connect(url)
  try {
    await migrate(database, async () => onMigration?.(await allRows(database)))
    return await SqlStore.open(engineOver(url, database), network)
  } catch (cause) {
    await database.destroy()
    throw unusable(url, cause)
  }
}

/** Returns the names of the migrations that opening the database would run. It is only read. */
export async function missingPostgresSteps(url: string): Promise<readonly string[]> {
  const database = connect(url)
  try {
    return await missingSteps(database)
  } catch (cause) {
    throw unusable(url, cause)
  } finally {
    await database.destroy()
  }
}

function connect(url: string): Kysely<Tables> {
  const pool = new pg.Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    application_name: 'mesh-control',
    keepAlive: true,
    types: { getTypeParser },
    ...TIMEOUTS,
  })
  // A connection breaks whenever it likes. An idle one is made anew when one is needed; one in use, also between two
  // queries of a transaction, fails the next query.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  const living: PostgresPool = {
    options: {},
    connect: async () => leaveWhenSilent(await pool.connect()),
    end: () => pool.end(),
  }
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: living }) })
}

/** The pool gives a connection to the next who asks, even while a query waits in it for an answer that never comes. */
function leaveWhenSilent(client: pg.PoolClient): PostgresPoolClient {
  let silence: unknown
  const query = async (text: string, values: readonly unknown[]): Promise<pg.QueryResult> => {
    // Not even a rollback: the database ends the transaction with the connection.
    if (silence !== undefined) throw silence
    try {
      return await client.query(text, [...values])
    } catch (error) {
      if (isTimeout(error)) silence = error
      throw error
    }
  }
  return {
    query: query as unknown as PostgresPoolClient['query'],
    release: (destroy) => client.release(destroy === true || silence !== undefined),
  }
}

/** The driver has no code for it. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message === 'Query read timeout'
}

const getTypeParser: pg.CustomTypesConfig['getTypeParser'] = (oid, format) =>
  oid === pg.types.builtins.INT8 ? readInt8 : pg.types.getTypeParser(oid, format)

/** The driver gives numbers of 64 bits as text. One that this program could only round is no number to go on with. */
function readInt8(text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value)) return value
  throw new RangeError(`it holds a number too large to count with, ${text}`)
}

async function allRows(database: Kysely<Tables>): Promise<Readonly<Record<string, readonly object[]>>> {
  const rows: Record<string, readonly object[]> = {}
  const there = new Set((await database.introspection.getTables()).map(({ name }) => name))
  // The database may be shared: other tables are nobody's business here.
  for (const name of TABLE_NAMES)
    if (there.has(name)) rows[name] = await database.selectFrom(name).selectAll().execute()
  return rows
}

function engineOver(url: string, database: Kysely<Tables>): SqlEngine {
  return {
    database,
    clock: sql<number>`cast(extract(epoch from clock_timestamp()) * 1000 as bigint)`,
    isConflict: (error) => error instanceof pg.DatabaseError && error.code?.startsWith('23') === true,
    notify: async (transaction, network, version) => {
      await sql`select pg_notify(${CHANNEL}, ${`${network} ${version}`})`.execute(transaction)
    },
    watch: (network, listener) => {
      const ear = new Ear(url, network, listener)
      return () => ear.close()
    },
    close: () => database.destroy(),
  }
}

/** A connection that listens, made anew whenever it breaks. */
class Ear {
  readonly #url: string
  readonly #network: string
  readonly #listener: StoreListener
  #client: pg.Client | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(url: string, network: number, listener: StoreListener) {
    this.#url = url
    this.#network = String(network)
    this.#listener = listener
    void this.#listen()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    void this.#client?.end().catch(() => undefined)
  }

  async #listen(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#url,
      connectionTimeoutMillis: TIMEOUTS.connectionTimeoutMillis,
      query_timeout: HEARTBEAT,
      keepAlive: true,
      application_name: 'mesh-control listener',
    })
    this.#client = client
    client.on('notification', ({ payload = '' }) => {
      const [network, version] = payload.split(' ')
      // A server of an older release names none.
      if (network === this.#network) this.#listener(version === undefined ? undefined : Number(version))
    })
    client.on('error', () => this.#again(client))
    client.on('end', () => this.#again(client))
    try {
      await client.connect()
      await client.query(`LISTEN ${CHANNEL}`)
      // Whatever was said while nobody listened.
      if (!this.#closed) this.#listener(undefined)
      this.#listenFor(client)
    } catch {
      this.#again(client)
    }
  }

  #listenFor(client: pg.Client): void {
    if (this.#closed || this.#client !== client) return
    this.#timer = setTimeout(() => {
      client.query('SELECT 1').then(
        () => this.#listenFor(client),
        () => this.#again(client),
      )
    }, HEARTBEAT).unref()
  }

  #again(client: pg.Client): void {
    if (this.#closed || this.#client !== client) return
    this.#client = undefined
    clearTimeout(this.#timer)
    void client.end().catch(() => undefined)
    this.#timer = setTimeout(() => void this.#listen(), RETRY_AFTER).unref()
  }
}

function unusable(url: string, cause: unknown): ControlError {
  if (cause instanceof ControlError) return cause
  const message = `The database${shown(url)} cannot be used: ${reasonOf(cause)}.`
  return new ControlError('ERR_CONTROL_STORE', message, { cause })
}

/** What of a URL may stand in messages: nothing of one whose password cannot be told from the rest. */
function shown(text: string): string {
  const url = URL.parse(text)
  if (!url) return ''
  const password = url.password === '' ? '' : ':***'
  const user = url.username === '' ? '' : `${url.username}${password}@`
  return ` ${url.protocol}//${user}${url.host}${url.pathname}`
}
