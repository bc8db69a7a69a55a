// The Store seat over SQL, for both engines. A transaction begins by counting up the version of its network: whoever
// gets that row has the network to itself until it commits, so what it then reads is the newest, and what it decides
// holds.

import { reasonOf } from '@mesh/sansio/node'
import type { Kysely, Transaction } from 'kysely'
import { sql } from 'kysely'
import { ControlError } from '../errors.ts'
import { KINDS } from '../records.ts'
import type { Kind, Records } from '../records.ts'
import { decodeRecord, encodeRecord } from '../record-json.ts'
import { NOTHING } from '../state.ts'
import type { Attendance, Changes, Counters, News, Store, StoreListener, Writes } from '../store.ts'
import type { AuditEntry, AuditQuery } from '../audit.ts'
import { readAudit, writeAudit } from './sql-audit.ts'
import { COLUMNS_OF, TABLE_OF } from './sql-tables.ts'
import type { RecordTable, Tables } from './sql-tables.ts'

/** A server that was not heard of for this long is gone, milliseconds. */
const SERVER_LIFETIME = 15_000
/** Rows of one statement: their values fit what both engines take. */
const ROWS_TOGETHER = 500
/** Deletions are remembered for so many versions; who was away for longer reads everything. */
const GONE_KEPT = 10_000
const GONE_SWEEP = 1000

/** Where two engines differ. */
export interface SqlEngine {
  readonly database: Kysely<Tables>
  /** The wall clock in Unix milliseconds, as SQL. */
  readonly clock: ReturnType<typeof sql<number>>
  /** Tells whether the engine refused a write because of what the tables forbid. */
  isConflict(error: unknown): boolean
  /** Tells all servers, in the transaction, which version it makes. */
  notify(transaction: Transaction<Tables>, network: number, version: number): Promise<void>
  /** Calls `listener` when somebody told so. */
  watch(network: number, listener: StoreListener): () => void
  /** Lets go of connections and files. */
  close(): Promise<void>
}

interface NetworkRow {
  readonly version: number
  readonly oldest: number
  readonly counters: Counters
}

/** Ends a transaction in which nothing was to be written. */
class Nothing extends Error {}

/** The records of one network in a database. */
export class SqlStore implements Store {
  readonly #engine: SqlEngine
  readonly #network: number
  #closed: Promise<void> | undefined

  private constructor(engine: SqlEngine, network: number) {
    this.#engine = engine
    this.#network = network
  }

  /** Opens a network of this name, and makes it when there is none. */
  static async open(engine: SqlEngine, name: string): Promise<SqlStore> {
    const { database } = engine
    const fresh = { name, version: 0, oldest: 0, counters: JSON.stringify(NOTHING.counters) }
    for (;;) {
      const known = await database
        .selectFrom('networks')
        .select('id')
        .where('name', '=', name)
        .executeTakeFirst()
      if (known) return new SqlStore(engine, known.id)
      // Another server may take this name, or this number, at the same moment: then it is looked for again.
      await database
        .insertInto('networks')
        .values({ id: sql<number>`(select coalesce(max(id), 0) + 1 from networks)`, ...fresh })
        .onConflict((conflict) => conflict.doNothing())
        .execute()
    }
  }

  /** Returns what changed after a version. */
  async since(version: number): Promise<News> {
    return this.#attempt(() =>
      this.#engine.database
        .transaction()
        .setIsolationLevel('repeatable read')
        .execute(async (transaction) => this.#news(transaction, version, await this.#read(transaction))),
    )
  }

  /** Runs one transaction. */
  async transact(known: number, decide: (news: News | undefined) => Writes | undefined): Promise<number> {
    const decided: { error?: unknown; failed: boolean; version: number } = { failed: false, version: known }
    const judge = (news: News | undefined): Writes | undefined => {
      try {
        return decide(news)
      } catch (error) {
        decided.error = error
        decided.failed = true
        throw error
      }
    }
    const work = async (transaction: Transaction<Tables>): Promise<number> => {
      const network = await this.#lock(transaction)
      decided.version = network.version - 1
      const news =
        known === decided.version
          ? undefined
          : await this.#news(transaction, known, { ...network, version: decided.version })
      const writes = judge(news)
      if (!writes) throw new Nothing()
      await this.#write(transaction, writes, network.version)
      return network.version
    }
    try {
      return await this.#attempt(() => this.#engine.database.transaction().execute(work))
    } catch (error) {
      if (decided.failed) throw decided.error
      if (error instanceof ControlError && error.cause instanceof Nothing) return decided.version
      throw error
    }
  }

  /** Returns entries of the audit log. */
  audit(query: AuditQuery): Promise<readonly AuditEntry[]> {
    return this.#attempt(() => readAudit(this.#engine.database, this.#network, query))
  }

  /** Binds the network to a server's key. */
  claim(key: string, takeOver: boolean): Promise<string> {
    const { database } = this.#engine
    return this.#attempt(async () => {
      let bind = database.updateTable('networks').set({ server_key: key }).where('id', '=', this.#network)
      if (!takeOver) bind = bind.where('server_key', 'is', null)
      await bind.execute()
      const mine = database.selectFrom('networks').select('server_key').where('id', '=', this.#network)
      return (await mine.executeTakeFirstOrThrow()).server_key ?? key
    })
  }

  /** Says that a server is alive. */
  async attend(name: string): Promise<Attendance> {
    const { database, clock } = this.#engine
    return this.#attempt(async () => {
      await database
        .insertInto('servers')
        .values({ network_id: this.#network, name, seen_at: clock })
        .onConflict((conflict) => conflict.columns(['network_id', 'name']).doUpdateSet({ seen_at: clock }))
        .execute()
      await database
        .deleteFrom('servers')
        .where('network_id', '=', this.#network)
        // One of the future was seen before the clock of the database was set back, and would live until then.
        .where(sql<boolean>`abs(${clock} - seen_at) > ${sql.lit(SERVER_LIFETIME)}`)
        .execute()
      const servers = await database
        .selectFrom('servers')
        .select('name')
        .where('network_id', '=', this.#network)
        .orderBy('name')
        .execute()
      const { version } = await this.#read(database)
      return { servers: servers.map((server) => server.name), version }
    })
  }

  /** Says that a server ends. */
  async leave(name: string): Promise<void> {
    const mine = this.#engine.database.deleteFrom('servers').where('network_id', '=', this.#network)
    await this.#attempt(() => mine.where('name', '=', name).execute())
  }

  /** Calls `listener` soon after somebody wrote. */
  watch(listener: StoreListener): () => void {
    return this.#engine.watch(this.#network, listener)
  }

  /** Lets go of connections and files. */
  close(): Promise<void> {
    this.#closed ??= this.#engine.close()
    return this.#closed
  }

  async #read(database: Kysely<Tables>): Promise<NetworkRow> {
    const row = await database
      .selectFrom('networks')
      .select(['version', 'oldest', 'counters'])
      .where('id', '=', this.#network)
      .executeTakeFirstOrThrow()
    return toNetwork(row)
  }

  /** Counts the version up, and so has the network to itself until the transaction ends. */
  async #lock(transaction: Transaction<Tables>): Promise<NetworkRow> {
    const row = await transaction
      .updateTable('networks')
      .set({ version: sql<number>`version + 1` })
      .where('id', '=', this.#network)
      .returning(['version', 'oldest', 'counters'])
      .executeTakeFirstOrThrow()
    return toNetwork(row)
  }

  async #news(database: Kysely<Tables>, known: number, network: NetworkRow): Promise<News> {
    const { version, counters } = network
    const whole = known <= 0 || known < network.oldest || known > version
    const after = whole ? -1 : known
    const gone = whole ? [] : await this.#goneSince(database, after)
    const entries: [Kind, Map<number, Records[Kind] | undefined>][] = []
    for (const kind of KINDS) {
      const rows = await database
        .selectFrom(TABLE_OF[kind])
        .select(['id', 'record'])
        .where('network_id', '=', this.#network)
        .where('version', '>', after)
        .orderBy('id')
        .execute()
      const changed = new Map<number, Records[Kind] | undefined>()
      for (const row of gone) if (row.kind === kind) changed.set(row.id, undefined)
      for (const row of rows) changed.set(row.id, decodeRecord(kind, row.record))
      entries.push([kind, changed])
    }
    return { version, whole, counters, changes: Object.fromEntries(entries) as Changes }
  }

  #goneSince(
    database: Kysely<Tables>,
    version: number,
  ): Promise<{ readonly kind: string; readonly id: number }[]> {
    const mine = database.selectFrom('gone').select(['kind', 'id']).where('network_id', '=', this.#network)
    return mine.where('version', '>', version).execute()
  }

  async #write(transaction: Transaction<Tables>, writes: Writes, version: number): Promise<void> {
    for (const kind of KINDS) await this.#writeKind(transaction, kind, writes.changes[kind], version)
    await transaction
      .updateTable('networks')
      .set({ counters: JSON.stringify(writes.counters) })
      .where('id', '=', this.#network)
      .execute()
    if (writes.audit) await writeAudit(transaction, this.#network, version, writes.audit)
    if (version % GONE_SWEEP === 0) await this.#sweep(transaction, version - GONE_KEPT)
    await this.#engine.notify(transaction, this.#network, version)
  }

  /** Rows are replaced, not changed one by one: two nodes may have swapped their names. */
  async #writeKind<K extends Kind>(
    transaction: Transaction<Tables>,
    kind: K,
    changed: ReadonlyMap<number, Records[K] | undefined> | undefined,
    version: number,
  ): Promise<void> {
    if (!changed || changed.size === 0) return
    const table: RecordTable = TABLE_OF[kind]
    const network_id = this.#network
    for (const ids of inTurns([...changed.keys()]))
      await transaction
        .deleteFrom(table)
        .where('network_id', '=', network_id)
        .where('id', 'in', ids)
        .execute()
    const records = [...changed.values()].filter((record) => record !== undefined)
    for (const some of inTurns(records)) {
      const rows = some.map((record) => {
        const columns = COLUMNS_OF[kind](record)
        return { network_id, id: record.id, version, record: encodeRecord(record), ...columns }
      })
      await transaction.insertInto(table).values(rows).execute()
    }
    const gone = [...changed].filter(([, record]) => record === undefined)
    for (const some of inTurns(gone)) {
      const rows = some.map(([id]) => ({ network_id, kind, id, version }))
      await transaction
        .insertInto('gone')
        .values(rows)
        .onConflict((conflict) => conflict.columns(['network_id', 'kind', 'id']).doUpdateSet({ version }))
        .execute()
    }
  }

  async #sweep(transaction: Transaction<Tables>, oldest: number): Promise<void> {
    if (oldest <= 0) return
    const swept = transaction.deleteFrom('gone').where('network_id', '=', this.#network)
    await swept.where('version', '<=', oldest).execute()
    await transaction.updateTable('networks').set({ oldest }).where('id', '=', this.#network).execute()
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      if (this.#engine.isConflict(cause))
        throw new ControlError('ERR_CONTROL_CONFLICT', `Records in the database clash: ${reasonOf(cause)}.`, {
          cause,
        })
      throw new ControlError('ERR_CONTROL_STORE', `The database cannot be used: ${reasonOf(cause)}.`, {
        cause,
      })
    }
  }
}

function toNetwork(row: {
  readonly version: number
  readonly oldest: number
  readonly counters: string
}): NetworkRow {
  return {
    version: row.version,
    oldest: row.oldest,
    counters: { ...NOTHING.counters, ...(JSON.parse(row.counters) as Counters) },
  }
}

function* inTurns<T>(all: readonly T[]): Iterable<readonly T[]> {
  for (let i = 0; i < all.length; i += ROWS_TOGETHER) yield all.slice(i, i + ROWS_TOGETHER)
}
